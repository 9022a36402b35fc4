"""A conditional search space as a cube: what the models of the portfolio compute with.

A configuration is a row of coordinates. Numbers, and ordered choices by the rank of their value, are positions from 0 to 1; a
category is its index. Marked copies of one hyperparameter (learning_rate@adamw, learning_rate@sgd) share a coordinate, by value
over the union of their ranges, so that what is learned of one tells of the other. A coordinate that no active hyperparameter
uses is at `IDLE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from search.oracles.portfolio.axes import Axis, axes_of, axes_of_distributions
from search.oracles.space.hyperparameters import Hyperparameter

IDLE = 0.5
"""The middle of a range is as far from all values as can be."""


class UnitCube:
    """The cube of a search space.

    Attributes:
        categories: Values of each categorical coordinate, 0 for a numerical one, (d,).
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = list(axes)
        self.categories = np.zeros(max((axis.coordinate for axis in axes), default=-1) + 1, int)
        for axis in axes:
            self.categories[axis.coordinate] = axis.categories
        self._number = {axis.name: number for number, axis in enumerate(self._axes)}

    @classmethod
    def of_space(cls, space: Sequence[Hyperparameter]) -> UnitCube:
        """Return the cube of a declared space, with its conditions."""
        return cls(axes_of(space))

    @classmethod
    def of_distributions(cls, distributions: Mapping[str, BaseDistribution]) -> UnitCube:
        """Return the cube of parameters of which nothing else is known: each has a coordinate of its own and is always active."""
        return cls(axes_of_distributions(distributions))

    @property
    def dimensions(self) -> int:
        return len(self.categories)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return `count` configurations, each hyperparameter uniform over its own range and scale, (count, d)."""
        units = rng.random((count, self.dimensions))
        return self._settle(units, np.ones_like(units, bool))

    def vary(
        self, rows: np.ndarray, width: float, rng: np.random.Generator, *, changed: float = 1.0
    ) -> np.ndarray:
        """Return `rows` with normal steps of `width`.

        Args:
            rows: Configurations, (n, d).
            width: Standard deviation of a numerical step; also the chance that a category is drawn anew.
            rng: Of the steps.
            changed: Chance of each coordinate to change at all.
        """
        numerical = self.categories == 0
        moved = rows + rng.normal(0, width, rows.shape)
        moved = 1 - np.abs(1 - np.abs(moved) % 2)  # a step over the end is reflected
        change = rng.random(rows.shape) < changed
        result = np.where(change & numerical, moved, rows)
        fresh = ~numerical & (rng.random(rows.shape) < width) & change
        # What was idle has no value to step from.
        fresh |= ~self.active_coordinates(rows)
        units = rng.random(rows.shape)
        return self._settle(np.where(fresh, units, result), fresh)

    def _settle(self, rows: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """Return `rows` with every coordinate at a value that its active hyperparameter can take. `fresh` ones are positions
        between 0 and 1 in that hyperparameter's own range."""
        settled = np.where(self.categories > 0, -1.0, IDLE) * np.ones((len(rows), 1))
        active: list[np.ndarray] = []
        for axis in self._axes:
            here = self._holds(axis, settled, active)
            active.append(here)
            column = rows[here, axis.coordinate]
            new = fresh[here, axis.coordinate]
            settled[here, axis.coordinate] = np.where(new, axis.spread(column), axis.nearest(column))
        return settled

    def _holds(self, axis: Axis, rows: np.ndarray, active: Sequence[np.ndarray]) -> np.ndarray:
        """Whether the hyperparameter is active in each row, (n,), given which of those before it are."""
        here = np.full(len(rows), axis.possible)
        for name, wanted in axis.conditions:
            parent = self._number[name]
            column = rows[:, self._axes[parent].coordinate]
            here &= active[parent] & (np.abs(column[:, None] - wanted) < 1e-9).any(1)
        return here

    def active(self, rows: np.ndarray) -> np.ndarray:
        """Return which hyperparameters are active in each row, (n, hyperparameters)."""
        active: list[np.ndarray] = []
        for axis in self._axes:
            active.append(self._holds(axis, rows, active))
        return np.stack(active, 1) if active else np.zeros((len(rows), 0), bool)

    def active_coordinates(self, rows: np.ndarray) -> np.ndarray:
        """Return which coordinates are used in each row, (n, d)."""
        used = np.zeros(rows.shape, bool)
        for axis, here in zip(self._axes, self.active(rows).T, strict=True):
            used[:, axis.coordinate] |= here
        return used

    def rows(self, params: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the configurations of trials by their `params`, as the sampler sees them, (n, d)."""
        rows = np.where(self.categories > 0, -1.0, IDLE) * np.ones((len(params), 1))
        for axis in self._axes:
            having = [index for index, one in enumerate(params) if axis.name in one]
            rows[having, axis.coordinate] = axis.positions([params[index][axis.name] for index in having])
        return rows

    def params(self, row: np.ndarray) -> dict[str, Any]:
        """Return the values of the active hyperparameters of a configuration, as a sampler gives them."""
        active = self.active(row[None])[0]
        return {
            axis.name: axis.value(float(row[axis.coordinate]))
            for axis, here in zip(self._axes, active, strict=True)
            if here
        }
