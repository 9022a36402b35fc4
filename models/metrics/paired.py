"""Two recipes, each trained with the same seeds, on the same faces: by how much one is better, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from models.metrics.objectives import OBJECTIVES

RESAMPLES = 1000
_SEED = 20130615

Probabilities = Sequence[NDArray[np.float32]]
"""Of each seed, float32 [N, 8]."""


@dataclass(frozen=True)
class Improvement:
    """By how much one recipe is better than another by an objective, positive where it is.

    Attributes:
        value: Mean over the seeds of the one.
        other: The same of the other.
        difference: Between them.
        low, high: Its 95 % interval.
    """

    value: float
    other: float
    difference: float
    low: float
    high: float


def improvements(
    first: Probabilities, second: Probabilities, split: Split, names: Sequence[str]
) -> dict[str, Improvement]:
    """Return the improvement of `first` over `second` on `split` by each objective in `names`.

    The interval is a percentile bootstrap's: photographs are drawn with replacement, all faces of one together (Davison and
    Hinkley 1997, section 3.8), and so are the seeds; both recipes have the same draws. With one seed, what
    another would change is not in it.

    Args:
        first, second: What the networks of each seed said of the rows of `split`.
    """
    signs = {name: 1 if OBJECTIVES[name].direction == "max" else -1 for name in names}

    def differences(split: Split, pairs: list[tuple[NDArray[np.float32], ...]]) -> list[float]:
        return [
            signs[name]
            * float(np.mean([function(one, split) - function(other, split) for one, other in pairs]))
            for name in names
            for function in [OBJECTIVES[name].function]
        ]

    random = np.random.default_rng(_SEED)
    pairs = list(zip(first, second, strict=True))
    _, photographs = np.unique(split.photographs, return_inverse=True)
    count = int(photographs.max()) + 1
    rows = np.arange(len(split))
    drawn = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, count, count), minlength=count)[photographs]
        taken = np.repeat(rows, times)
        seeds = random.integers(0, len(pairs), len(pairs))
        drawn.append(
            differences(split.take(taken), [(pairs[s][0][taken], pairs[s][1][taken]) for s in seeds])
        )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    found = {}
    for index, name in enumerate(names):
        value, other = (
            float(np.mean([OBJECTIVES[name].function(said, split) for said in recipe]))
            for recipe in (first, second)
        )
        difference = signs[name] * (value - other)
        found[name] = Improvement(value, other, difference, float(low[index]), float(high[index]))
    return found
