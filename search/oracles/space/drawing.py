"""Declaring a space and drawing from it are one walk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras_tuner

from models.recipe import acts_on
from search.oracles.space.hyperparameters import Hyperparameter


class Drawing(keras_tuner.HyperParameters):
    """Draws each hyperparameter the moment it is declared, so that the space function sees the drawn values of those before it,
    in conditional scopes and in plain Python `if`s alike."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        super().__init__()
        self._draw = draw
        self.drawn: dict[str, Any] = {}

    def _take(self, before: int, value: Any) -> Any:
        """Draw the hyperparameter that has just been declared, if it is a new one and active."""
        if len(self.space) == before or not self.is_active(self.space[-1]):
            return value
        hp = self.space[-1]
        if hp.name not in self.drawn:
            self.drawn[hp.name] = self._draw(hp)
        self.values[hp.name] = self.drawn[hp.name]
        return self.drawn[hp.name]

    def Choice(self, *arguments: Any, **options: Any) -> Any:
        return self._take(len(self.space), super().Choice(*arguments, **options))

    def Int(self, *arguments: Any, **options: Any) -> Any:
        return self._take(len(self.space), super().Int(*arguments, **options))

    def Float(self, *arguments: Any, **options: Any) -> Any:
        return self._take(len(self.space), super().Float(*arguments, **options))

    def Boolean(self, *arguments: Any, **options: Any) -> Any:
        return self._take(len(self.space), super().Boolean(*arguments, **options))

    def Fixed(self, *arguments: Any, **options: Any) -> Any:
        return self._take(len(self.space), super().Fixed(*arguments, **options))

    def register(self, hp: Any) -> None:
        """Draw a hyperparameter that was declared elsewhere, if it is active."""
        if all(condition.is_active(self.values) for condition in hp.conditions):
            self.drawn[hp.name] = self.values[hp.name] = self._draw(hp)


def describe(hp: Any) -> Hyperparameter:
    """Return the description of a `keras_tuner` hyperparameter."""
    kind = type(hp).__name__.lower()
    common: dict[str, Any] = {
        "conditions": tuple((condition.name, tuple(condition.values)) for condition in hp.conditions),
        "acts_on": acts_on(hp.name),
    }
    if kind == "fixed":
        return Hyperparameter(hp.name, kind, (hp.value,), False, default=hp.value, **common)
    if kind == "boolean":
        return Hyperparameter(hp.name, kind, (False, True), False, default=hp.default, **common)
    if kind == "choice":
        return Hyperparameter(hp.name, kind, tuple(hp.values), bool(hp.ordered), default=hp.default, **common)
    low, high, step, scale = hp.min_value, hp.max_value, hp.step, hp.sampling
    values = None
    if step is not None and scale != "linear":  # there a step multiplies
        number = int if kind == "int" else float
        values, step = tuple(sorted(number(value) for value in hp.values)), None
    elif step is not None:
        # Counted here: Keras Tuner's own count loses the last value to rounding, for 0.5 // 0.1 is 4.
        high = low + int((high - low) / step + 1e-9) * step
        high = round(high, 12) if kind == "float" else high
    return Hyperparameter(hp.name, kind, values, True, low, high, step, scale, default=hp.default, **common)
