"""A hyperparameter, described once: for the sampler, the database, config.json and the report.

The database holds the values that the user knows. A sampler sees an ordered choice as the index of its value, so that it can
use the order, and a number of scale reverse_log by its quantile; everything else as it is stored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from models.hyperparameters import base_name

GRID_POINTS = 10
"""Values of a free number in a grid: what Keras Tuner's GridSearch takes."""


@dataclass(frozen=True)
class Hyperparameter:
    """What a space declares under one name.

    Args:
        name: As declared, with its @mark: the key of the trial's parameters.
        kind: float, int, choice, boolean or fixed.
        values: All it can take, a choice's in the order of their declaration; None for a number that is free or evenly stepped.
        ordered: Whether its values have an order.
        low, high, step: Of a number, both ends included.
        scale: linear, log or reverse_log.
        default: Of the declaration.
        conditions: (name, values) of others; it is active where each of them has one of these values.
        acts_on: Where it acts, as `models.hyperparameters.Acts` has it: graph, trace, step or data.
    """

    name: str
    kind: str
    values: tuple[Any, ...] | None = None
    ordered: bool = True
    low: float | None = None
    high: float | None = None
    step: float | None = None
    scale: str = "linear"
    default: Any = None
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    acts_on: str = ""

    @property
    def field(self) -> str:
        """The field of the recipe that it sets: its name without the mark."""
        return base_name(self.name)

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Whether it is used beside the values of the others."""
        return all(name in values and values[name] in wanted for name, wanted in self.conditions)

    def distribution(self) -> BaseDistribution:
        """Return the distribution that the database holds, over the values that the user knows."""
        if self.values is not None:
            return CategoricalDistribution(self.values)
        log = self.scale == "log"
        if self.kind == "int":
            return IntDistribution(self.low, self.high, log=log, step=self.step or 1)  # type: ignore[arg-type]
        return FloatDistribution(self.low, self.high, log=log, step=self.step)  # type: ignore[arg-type]

    def sampled(self, *, grid: bool = False) -> BaseDistribution:
        """Return the distribution that a sampler draws from; with `grid` a free number has `GRID_POINTS` values."""
        points = self._points(grid)
        if points is not None:
            return IntDistribution(0, len(points) - 1)
        if self.scale == "reverse_log":
            return FloatDistribution(0.0, 1.0)
        return self.distribution()

    def to_value(self, drawn: Any, *, grid: bool = False) -> Any:
        """Return the value for what was `drawn` from `sampled`."""
        points = self._points(grid)
        if points is not None:
            return points[drawn]
        return self.at(drawn) if self.scale == "reverse_log" else drawn

    def to_drawn(self, value: Any, *, grid: bool = False) -> Any:
        """The inverse of `to_value`; of points, the nearest stands for a value that is none of them.

        Raises:
            ValueError: `value` is none of the categories.
        """
        points = self._points(grid)
        if points is not None:
            if value in points:
                return points.index(value)
            return min(range(len(points)), key=lambda i: abs(points[i] - value))
        if self.values is not None:
            if value not in self.values:
                raise ValueError(
                    f"hyperparameter {self.name}: expected one of {list(self.values)}, found {value!r}"
                )
            return value
        assert self.low is not None and self.high is not None
        value = min(max(value, self.low), self.high)
        if self.scale == "reverse_log":
            return 1 - math.log((self.high - value) / self.low + 1) / math.log(self.high / self.low)
        if self.step is not None:
            value = self.low + round((value - self.low) / self.step) * self.step
        return int(value) if self.kind == "int" else value

    def finite(self, *, grid: bool = False) -> list[Any] | None:
        """Return all values that can be drawn; None for a number that is free."""
        drawn = self.sampled(grid=grid)
        if isinstance(drawn, CategoricalDistribution):
            return list(drawn.choices)
        if isinstance(drawn, IntDistribution):
            return list(range(drawn.low, drawn.high + 1, drawn.step))
        assert isinstance(drawn, FloatDistribution)
        if drawn.step is None:
            return None
        count = round((drawn.high - drawn.low) / drawn.step) + 1
        return [round(drawn.low + i * drawn.step, 12) for i in range(count)]

    def at(self, q: float) -> Any:
        """Return the value at the quantile `q`, 0 to 1, of a free number's scale."""
        low, high = float(self.low or 0), float(self.high or 0)
        if self.scale == "log":
            value = low * (high / low) ** q
        elif self.scale == "reverse_log":  # as Keras Tuner documents it
            value = high - low * ((high / low) ** (1 - q) - 1)
        else:
            value = low + q * (high - low)
        return round(value) if self.kind == "int" else value

    def _points(self, grid: bool) -> list[Any] | None:
        """The values that the sampler sees by their index."""
        if self.values is not None:
            return list(self.values) if self.ordered and len(self.values) > 1 else None
        if not grid or self.step is not None:
            return None
        assert self.low is not None and self.high is not None
        if self.kind == "int" and self.high - self.low < GRID_POINTS:
            return list(range(int(self.low), int(self.high) + 1))
        inner = {self.at(i / (GRID_POINTS - 1)) for i in range(1, GRID_POINTS - 1)}
        ends = {type(next(iter(inner)))(end) for end in (self.low, self.high)}
        return sorted(inner | ends)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, with its field."""
        return json.loads(json.dumps({**asdict(self), "field": self.field}))
