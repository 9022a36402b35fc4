"""Which configurations are refused before they train: those whose network is larger or slower than the user allows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner

from ferplus_data.errors import InputError
from models.hyperparameters import Acts
from models.networks import cost
from models.recipe import Recipe
from search.oracles.space.drawing import describe
from search.oracles.space.search_space import recipe_values

_MOST_SHAPES = 64
"""Networks that are looked at before the first trial, of a space that has more of them."""


class NotAdmitted(Exception):
    """A configuration is refused; the message says why."""


class Admission:
    """Refuses configurations by what their networks cost, which is found once for each network.

    Args:
        max_params: Most parameters; None: any number.
        max_latency: Most milliseconds for one face on this machine; None: any time.
    """

    def __init__(self, max_params: int | None, max_latency: float | None) -> None:
        self._limits: list[tuple[str, float, Callable[[Recipe], float], str]] = []
        if max_params is not None:
            self._limits.append(("--max-params", max_params, cost.parameters, "parameters"))
        if max_latency is not None:
            self._limits.append(("--max-latency", max_latency, cost.latency, "ms for one face"))
        self._costs: dict[Any, float] = {}

    def __bool__(self) -> bool:
        """Whether anything can be refused."""
        return bool(self._limits)

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise NotAdmitted if the configuration `values` is over a limit. One that is no recipe is left to its trial."""
        with contextlib.suppress(InputError):
            self._check(Recipe.from_hyperparameters(values))

    def check_space(self, hp: keras_tuner.HyperParameters, pins: Mapping[str, Any]) -> None:
        """Raise InputError if no network that the space `hp` declares is admitted."""
        if not self._limits:
            return
        refused = []
        for values in itertools.islice(_shapes(hp, pins), _MOST_SHAPES):
            try:
                self._check(Recipe.from_hyperparameters(values))
                return
            except NotAdmitted as error:
                refused.append(str(error))
            except InputError:
                continue  # a backbone and a size that do not go together
        if refused:
            raise InputError(
                f"space: expected a network within what is allowed, found none; the nearest has {min(refused, key=_amount)}"
            )

    def _check(self, recipe: Recipe) -> None:
        for option, most, measure, unit in self._limits:
            key = (option, cost.shape_of(recipe))
            if key not in self._costs:
                self._costs[key] = measure(recipe)
            if self._costs[key] > most:
                raise NotAdmitted(f"{_shown(self._costs[key])} {unit}, {option} allows {_shown(most)}")


def _shapes(hp: keras_tuner.HyperParameters, pins: Mapping[str, Any]) -> Any:
    """Configurations with every combination of what acts on the graph; a free number is as low as it can be."""
    graph = [
        one for one in map(describe, hp.space) if one.acts_on == Acts.GRAPH.value and one.kind != "fixed"
    ]
    choices = [[one.to_value(drawn) for drawn in one.finite() or []] or [one.low] for one in graph]
    for combination in itertools.product(*choices):
        yield recipe_values(hp, dict(zip((one.name for one in graph), combination, strict=True)), pins)


def _shown(amount: float) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{amount:.3g}"


def _amount(refusal: str) -> float:
    return float(refusal.partition(" ")[0].replace(",", ""))
