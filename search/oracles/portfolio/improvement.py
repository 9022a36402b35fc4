"""A source of suggestions: expected improvement, after a full training, by the Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from search.oracles.portfolio.gaussian_process import Data, GaussianProcess, fit, normal_scores
from search.oracles.portfolio.observations import Observation
from search.oracles.portfolio.unit_cube import UnitCube

MOST_TRIALS, _FITTED = 90, 50
"""Trials in the process, and those that its parameters are fitted to: half of them the best, the others the latest."""
_RANDOM, _NEAR, _BEST = 300, 20, 5
_WIDTHS = (0.1, 0.05, 0.02)
"""Steps, in the unit cube, of the three refinements of the best candidates."""


def used(observations: Sequence[Observation], most: int = MOST_TRIALS) -> list[Observation]:
    """Return the trials that the process learns from, at most so many."""
    seen = [
        one for one in observations if one.last and one.best[-1] > -np.inf or one.last and not one.running
    ]
    if len(seen) > most:
        ranked = sorted(seen, key=lambda one: -one.best[-1])
        best = ranked[: most // 2]
        chosen = {one.number for one in best}
        latest = [one for one in seen if one.number not in chosen][-(most - len(best)) :]
        seen = sorted([*best, *latest], key=lambda one: one.number)
    return seen


def data_of(observations: Sequence[Observation], cube: UnitCube, rungs: Sequence[int]) -> Data:
    """Return what the process learns: the best value up to each rung that a trial has reached, and to its last epoch."""
    trial, epochs, values = [], [], []
    for index, one in enumerate(observations):
        for epoch in sorted({rung for rung in rungs if rung <= one.last} | {one.last}):
            trial.append(index)
            epochs.append(epoch)
            values.append(one.at(epoch))
    rows = np.array([one.row for one in observations])
    return Data(rows, cube.categories, np.array(trial), np.array(epochs), normal_scores(np.array(values)))


class Improvement:
    """Suggests the configuration with the highest expected improvement.

    Args:
        observations: Of all trials.
        cube: Of the space.
        rungs: Epochs at which trials are compared, the last of them a full training.
        theta: Parameters of the process; None: they are fitted now.
        near: Parameters to set out from when they are fitted.
    """

    def __init__(
        self,
        observations: Sequence[Observation],
        cube: UnitCube,
        rungs: Sequence[int],
        *,
        theta: np.ndarray | None,
        near: np.ndarray | None,
    ) -> None:
        self._cube, self._last = cube, rungs[-1]
        self._seen = used(observations)
        data = data_of(self._seen, cube, rungs)
        if theta is None:
            theta = fit(data_of(used(observations, _FITTED), cube, rungs), near)
        self.theta = theta
        self._process = GaussianProcess(_believed(data, observations, theta, self._last), theta)
        self._target = float(data.scores.max())

    def suggest(self, rng: np.random.Generator) -> np.ndarray:
        """Return candidates, the most promising first, (n, d)."""
        best = np.array([one.row for one in sorted(self._seen, key=lambda one: -one.best[-1])[:_BEST]])
        near = self._cube.vary(np.repeat(best, _NEAR, 0), 0.1, rng, changed=0.5)
        rows = np.vstack([self._cube.draw(_RANDOM, rng), near])
        gains = self.gain(rows)
        for width in _WIDTHS:
            top = np.repeat(rows[np.argsort(-gains)[:_BEST]], _NEAR, 0)
            refined = self._cube.vary(top, width, rng, changed=0.5)
            rows, gains = np.vstack([rows, refined]), np.append(gains, self.gain(refined))
        return rows[np.argsort(-gains)]

    def gain(self, rows: np.ndarray) -> np.ndarray:
        """Return the expected improvement over the best value seen, of a full training of each of `rows`, (n,)."""
        mean, deviation = self._process.predict(rows, self._last)
        z = (mean - self._target) / deviation
        return deviation * (z * norm.cdf(z) + norm.pdf(z))


def _believed(data: Data, observations: Sequence[Observation], theta: np.ndarray, last: int) -> Data:
    """Return `data` with the trials that have just begun, which are believed to reach what is expected of them, so that many
    workers are not sent to one place."""
    begun = np.array([one.row for one in observations if one.running and not one.last])
    if not len(begun):
        return data
    mean, _ = GaussianProcess(data, theta).predict(begun, last)
    count = len(data.rows)
    return Data(
        np.vstack([data.rows, begun]),
        data.categories,
        np.concatenate([data.trial, count + np.arange(len(begun))]),
        np.concatenate([data.epochs, np.full(len(begun), last)]),
        np.concatenate([data.scores, mean]),
    )
