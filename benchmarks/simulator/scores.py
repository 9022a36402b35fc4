"""Regret, and how sure its means are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

_DRAWS = 2000
_COVERED = 95
"""Percent of the bootstrap's draws between `lo` and `hi`."""


class Mean(NamedTuple):
    """A mean over tasks and seeds with its interval, and the studies it is of."""

    mean: float
    lo: float
    hi: float
    n: int


def regret(full: float, *, best: float, median: float) -> float:
    """Return how far a full training's score `full` is from the `best` known one: 0 there, 1 at the `median` random one."""
    return (best - full) / max(best - median, 1e-12)


def regrets(
    retrained: np.ndarray, budgets: Sequence[float], *, epochs: int, best: float, median: float
) -> list[float]:
    """Return the regret at each of `budgets`, in full trainings of `epochs`, of what `study.run_study` returned. A study that
    stopped before keeps what it had."""
    at = [min(max(int(np.ceil(budget * epochs)), 1), len(retrained)) - 1 for budget in budgets]
    return [regret(float(retrained[i]), best=best, median=median) for i in at]


def interval(values: Mapping[tuple[str, int], float]) -> Mean:
    """Return the mean of {(task, seed): value} with the bootstrap's interval: tasks are drawn, and of each its seeds."""
    tasks = sorted({task for task, _ in values})
    table = [np.array([values[key] for key in sorted(values) if key[0] == task]) for task in tasks]
    rng = np.random.default_rng(0)
    means = np.array([_draw(table, rng) for _ in range(_DRAWS)])
    tail = (100 - _COVERED) / 2
    lo, hi = np.percentile(means, [tail, 100 - tail])
    mean = float(np.mean([one.mean() for one in table]))
    return Mean(mean, float(lo), float(hi), len(values))


def difference(ours: Mapping[tuple[str, int], float], theirs: Mapping[tuple[str, int], float]) -> Mean:
    """Return the mean of the differences, ours minus theirs, over the tasks and seeds that both have."""
    return interval({key: ours[key] - theirs[key] for key in ours.keys() & theirs.keys()})


def _draw(table: list[np.ndarray], rng: np.random.Generator) -> float:
    drawn = [table[i] for i in rng.integers(len(table), size=len(table))]
    return float(np.mean([seeds[rng.integers(len(seeds), size=len(seeds))].mean() for seeds in drawn]))
