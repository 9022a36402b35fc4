"""A source of suggestions: where good configurations lie more densely than others, on the highest rung.

A tree-structured Parzen estimator of all hyperparameters at once (Bergstra et al. 2011; Falkner et al. 2018, BOHB). It looks at
the highest rung that enough trials have reached, so that complete trials are not taken for better than those that were stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_ndtr, logsumexp

from search.oracles.portfolio.observations import Observation
from search.oracles.portfolio.unit_cube import UnitCube

ENOUGH = 8
"""Trials on a rung that is looked at."""
_GOOD = 0.15
"""Part of the trials that are the good ones: BOHB's."""
_CANDIDATES = 48
_WIDTH = 0.2
"""Bandwidth of a single trial, part of a range: Optuna's for several hyperparameters at once."""


def highest_rung(observations: Sequence[Observation], rungs: Sequence[int]) -> int | None:
    """Return the highest of `rungs` that `ENOUGH` trials have reached, None if there is none."""
    reached = [rung for rung in rungs if sum(one.last >= rung for one in observations) >= ENOUGH]
    return max(reached, default=None)


class Density:
    """Suggests what is likely among the good trials of a rung and not among the others."""

    def __init__(self, observations: Sequence[Observation], cube: UnitCube, rung: int) -> None:
        self._cube = cube
        there = [one for one in observations if one.last >= rung]
        order = np.argsort([-one.at(rung) for one in there], kind="stable")
        rows = np.array([one.row for one in there])[order]
        good = max(int(np.ceil(_GOOD * len(rows))), 2)
        self._good, self._others = rows[:good], rows[good:]

    def suggest(self, rng: np.random.Generator) -> np.ndarray:
        """Return candidates, the most promising first, (n, d)."""
        kernel = rng.integers(len(self._good) + 1, size=_CANDIDATES)  # the last is the prior
        rows = self._cube.draw(_CANDIDATES, rng)
        known = kernel < len(self._good)
        width = _bandwidth(self._good)
        rows[known] = self._cube.vary(self._good[kernel[known]], width, rng)
        ratio = _log_density(rows, self._good, self._cube) - _log_density(rows, self._others, self._cube)
        return rows[np.argsort(-ratio)]


def _bandwidth(rows: np.ndarray) -> float:
    return _WIDTH * len(rows) ** (-1 / (rows.shape[1] + 4))


def _log_density(at: np.ndarray, rows: np.ndarray, cube: UnitCube) -> np.ndarray:
    """The logarithm of a mixture of kernels around `rows` and of the uniform prior, at `at`, (n,). A coordinate that is not
    used in either place says nothing."""
    width = _bandwidth(rows)
    z = at[:, None, :] - rows[None]
    # What a kernel has outside of the range is missing inside.
    inside = np.log(np.exp(log_ndtr((1 - rows) / width)) - np.exp(log_ndtr(-rows / width)))
    normal = -0.5 * (z / width) ** 2 - np.log(width * np.sqrt(2 * np.pi)) - inside[None]
    counts = np.maximum(cube.categories, 1)
    category = np.where(z == 0, np.log(1 - width + width / counts), np.log(width / counts))
    category = category + np.log(counts)  # beside the prior, which is 1 / counts
    kernels = np.where(cube.categories > 0, category, normal)
    both = cube.active_coordinates(at)[:, None] & cube.active_coordinates(rows)[None]
    kernels = np.where(both, kernels, 0.0).sum(2)
    return logsumexp(np.column_stack([kernels, np.zeros(len(at))]), axis=1) - np.log(len(rows) + 1)
