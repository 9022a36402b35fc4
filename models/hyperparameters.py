"""What a hyperparameter is beside its value: its range, its meaning, where it acts, and whose it is.

The fields of `models.recipe.Recipe` are declared with `hyperparameter`. A function in one of the tables (a LR policy, an
optimizer, a class weighting) declares hyperparameters of its own as keyword-only parameters with a default, and their range and
meaning beside it:

    def step(initial_lr, *, ..., step_factor: Annotated[float, Range(1e-6, 1, "what the rate is multiplied with")] = 0.1):
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ferplus_data.errors import InputError


class Acts(enum.Enum):
    """Where a hyperparameter acts. What is kept from one training for another is looked up by all hyperparameters but those that
    act where they cannot change it."""

    GRAPH = "graph"
    """The layers: what the network computes of a face."""
    TRACE = "trace"
    """The traced training step: which layers it trains, and how."""
    STEP = "step"
    """What a traced step is given anew: numbers, targets, weights."""
    DATA = "data"
    """The faces that a step is given."""


@dataclass(frozen=True)
class Range:
    """The numbers that a hyperparameter may be, from `low` to `high`, both included, and what it means in a few words."""

    low: float = -math.inf
    high: float = math.inf
    meaning: str = ""

    def check(self, name: str, value: float) -> None:
        """Raise InputError for a `value` outside."""
        if not self.low <= value <= self.high:
            raise InputError(
                f"hyperparameter {name}: expected {self.low:g} to {self.high:g}, found {value:g}"
            )


ANY_NUMBER = Range()

ALIASES: dict[str, dict[str, str]] = {
    "class_weights": {"seed": "baseline"},
    "augmentation": {"seed": "baseline"},
}
"""Hyperparameter -> what a value of it is also called by users and in older studies -> the value."""


def canonical(name: str, given: Any) -> Any:
    """Return the value of the hyperparameter `name` that `given` is an alias of, else `given`; of a list, each once."""
    aliases = ALIASES.get(base_name(name))
    if aliases is None:
        return given
    if isinstance(given, list | tuple):
        return list(dict.fromkeys(canonical(name, one) for one in given))
    return aliases.get(given, given) if isinstance(given, str) else given


def canonical_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `values` of hyperparameters by name, none by an alias."""
    return {name: canonical(name, value) for name, value in values.items()}


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter that one function of a table has for itself."""

    default: float
    range: Range = ANY_NUMBER


def hyperparameter(
    default: Any,
    acts: Acts,
    *,
    range: Range = ANY_NUMBER,
    table: Mapping[str, Callable[..., Any]] | Mapping[str, Any] | None = None,
    parameters_of: str | None = None,
) -> Any:
    """Return a dataclass field of a recipe.

    Args:
        default: Its value where nothing is said. A mapping is the default of a field that holds `parameters_of`.
        acts: Where it acts. A field without this is taken to act everywhere.
        range: What it may be, if it is a number.
        table: What it may be, if it is a name.
        parameters_of: The field whose function in its table has its own parameters' values here.
    """
    metadata = {"acts": acts, "range": range, "table": table, "parameters_of": parameters_of}
    if parameters_of is not None:
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def own_parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the hyperparameters that `function` declares: name -> default and range, which is any number where it names none."""
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }
    if not defaults:
        return {}
    function = inspect.unwrap(function)
    # Of the others some are names that only a type checker knows.
    annotations = {
        name: function.__annotations__[name] for name in defaults if name in function.__annotations__
    }
    own = types.SimpleNamespace(__annotations__=annotations)
    hints = typing.get_type_hints(own, function.__globals__, include_extras=True)
    return {
        name: Parameter(
            default, next((r for r in _notes(hints.get(name)) if isinstance(r, Range)), ANY_NUMBER)
        )
        for name, default in defaults.items()
    }


def _notes(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def base_name(name: str) -> str:
    """Return the `name` of a hyperparameter without its @mark."""
    return name.partition("@")[0]
