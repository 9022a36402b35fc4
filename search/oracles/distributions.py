"""keras_tuner hyperparameter -> Optuna distribution and back.

The sampler sees an ordered choice, and anything else that takes evenly counted values, as the integer index of its value, so that
it can use their order; a category as a category; a free number as that number on its own scale.
"""

from __future__ import annotations

from typing import Any

from keras_tuner.engine.hyperparameters import Boolean, Choice, Fixed, Int
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

_GRID_POINTS = 10
"""Values of a free number in a grid: what keras_tuner's GridSearch takes."""


def distribution(
    hp: Any, *, grid: bool = False
) -> CategoricalDistribution | FloatDistribution | IntDistribution:
    """Return how `hp` is drawn; with `grid`, every free number takes `_GRID_POINTS` values."""
    values = _values(hp, grid)
    if values is None:
        if hp.sampling == "reverse_log":
            return FloatDistribution(0.0, 1.0)
        if isinstance(hp, Int):
            return IntDistribution(hp.min_value, hp.max_value, log=hp.sampling == "log")
        return FloatDistribution(hp.min_value, hp.max_value, log=hp.sampling == "log")
    if _ordered(hp):
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(values)


def to_value(hp: Any, drawn: Any, *, grid: bool = False) -> Any:
    """Return the value of `hp` for what was `drawn` from its distribution."""
    values = _values(hp, grid)
    if values is not None:
        return values[drawn] if _ordered(hp) else drawn
    if getattr(hp, "sampling", None) == "reverse_log":
        return hp.prob_to_value(drawn)
    return drawn


def to_drawn(hp: Any, value: Any, *, grid: bool = False) -> Any:
    """The inverse of `to_value`; in a set of ordered values the nearest stands for one that is missing.

    Raises:
        ValueError: `value` is none of the categories.
    """
    values = _values(hp, grid)
    if values is not None:
        if _ordered(hp):
            return min(range(len(values)), key=lambda i: abs(values[i] - value))
        if value not in values:
            raise ValueError(f"expected one of {list(values)}, found {value!r}")
        return value
    if getattr(hp, "sampling", None) == "reverse_log":
        return hp.value_to_prob(value)
    return min(max(value, hp.min_value), hp.max_value)


def _ordered(hp: Any) -> bool:
    return not isinstance(hp, Boolean | Fixed) and getattr(hp, "ordered", True)


def _values(hp: Any, grid: bool) -> list[Any] | None:
    """The values `hp` can take, those of a choice in the order they are declared; None for a free number."""
    if isinstance(hp, Choice):
        return list(hp.values)
    if isinstance(hp, Boolean):
        return [False, True]
    if isinstance(hp, Fixed):
        return [hp.value]
    if hp.step is not None and not (isinstance(hp, Int) and hp.step == 1 and hp.sampling == "linear"):
        if hp.sampling != "linear":
            return sorted(hp.values)
        # Keras Tuner's own count loses the last value to rounding: 0.5 // 0.1 is 4.
        count = int((hp.max_value - hp.min_value) / hp.step + 1e-9) + 1
        return [type(hp.min_value)(round(hp.min_value + i * hp.step, 12)) for i in range(count)]
    if not grid:
        return None
    if isinstance(hp, Int) and hp.max_value - hp.min_value < _GRID_POINTS:
        return list(range(hp.min_value, hp.max_value + 1))
    return sorted(
        {hp.prob_to_value(i / (_GRID_POINTS - 1)) for i in range(_GRID_POINTS - 1)} | {hp.max_value}
    )
