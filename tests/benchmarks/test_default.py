"""The floor under the default oracle and pruner: no worse than random draws with successive halving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.simulator.methods import method
from benchmarks.simulator.scores import regrets
from benchmarks.simulator.study import run_study
from benchmarks.simulator.tasks import Range, Task, full_scores
from benchmarks.simulator.tellings import tell

EPOCHS, SEEDS, BUDGET = 9, 3, 10
RANGES = [Range("rate", 1e-5, 1.0, log=True), *(Range(f"h{i}", 0.0, 1.0) for i in range(5))]


def bowl(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A smooth optimum; the slow reach further."""
    away = ((units - [0.3, 0.7, 0.2, 0.5, 0.6, 0.4]) ** 2 * [4, 2, 1, 1, 0.5, 0.5]).sum(1)
    return np.exp(-2 * away), 1 + 8 * (1 - units[:, 0])


def cliff(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best is beside where trainings diverge; three hyperparameters do nothing."""
    rate = units[:, 0]
    final = np.where(rate > 0.7, 0.0, np.exp(-8 * (rate - 0.68) ** 2) * (1 - 0.5 * np.abs(units[:, 1] - 0.8)))
    return final, np.full(len(units), 3.0)


def two_hills(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A broad hill of fast trainings and a higher, narrower one of slow ones."""
    broad = 0.8 * np.exp(-3 * ((units[:, :3] - 0.25) ** 2).sum(1))
    narrow = np.exp(-12 * ((units[:, :3] - 0.75) ** 2).sum(1))
    return np.maximum(broad, narrow), np.where(broad > narrow, 2.0, 6.0)


def task_of(landscape: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Task:
    epochs = np.arange(1, EPOCHS + 1)

    def curves(rows: Sequence[Sequence[float]]) -> np.ndarray:
        values = np.array(rows, float)
        units = np.column_stack([one.unit(values[:, i]) for i, one in enumerate(RANGES)])
        final, time = landscape(units)
        return final[:, None] * (1 - np.exp(-epochs / time[:, None]))

    rng = np.random.default_rng(0)
    drawn = full_scores(curves(np.column_stack([one.value(rng.random(20_000)) for one in RANGES])))
    return Task(landscape.__name__, EPOCHS, curves, float(drawn.max()), float(np.median(drawn)), RANGES)


def test_the_default_is_no_worse_than_random_draws_with_halving() -> None:
    found: dict[str, list[float]] = {"default": [], "random+halving": []}
    for task in map(task_of, (bowl, cliff, two_hills)):
        told = tell(task, "plain")
        for name in found:
            for seed in range(SEEDS):
                oracle = method(name)(told, seed, 10**6, BUDGET, Path("."))
                retrained = run_study(oracle, told, workers=2, budget=BUDGET)
                found[name] += regrets(retrained, [BUDGET], epochs=EPOCHS, best=task.best, median=task.median)
    assert np.mean(found["default"]) <= np.mean(found["random+halving"])
