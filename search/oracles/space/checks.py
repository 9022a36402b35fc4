"""What a declared space is refused for before its first trial: values that no recipe has, names that cannot be told apart, known
recipes that lie outside."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import Choice, Fixed, Float, HyperParameter, Int

from ferplus_data.errors import InputError
from models.hyperparameters import base_name
from models.recipe import check_names, check_values, default_of

_ROUNDING = 1e-9


def check_space(hp: keras_tuner.HyperParameters) -> None:
    """Raise InputError for a declaration in `hp` that could give a trial what no recipe has, or two values of one name."""
    for one in hp.space:
        if sum(other.name == one.name for other in hp.space) > 1:
            raise InputError(
                f"space: {one.name} is declared in more than one conditional scope, which Keras Tuner cannot tell apart; "
                f"mark each, as in {one.name}@one and {one.name}@other"
            )
        _check_range(one)
    for one, other in itertools.combinations(hp.space, 2):
        if base_name(one.name) == base_name(other.name) and not _exclusive(hp, one, other):
            raise InputError(
                f"space: {one.name} and {other.name} can both be active in one trial; declare them in conditional scopes that "
                "exclude each other"
            )


def check_recipe(
    name: str, recipe: Mapping[str, Any], active: Iterable[str], hp: keras_tuner.HyperParameters
) -> None:
    """Raise InputError unless the known recipe `name` is a point of the space `hp`, in which `active` names are what it fills."""
    check_names(recipe)
    filled = set(active)
    for one in hp.space:
        value = recipe.get(one.name, recipe.get(base_name(one.name)))
        if one.name in filled and value is not None and not is_within(one, value):
            raise InputError(f"space: recipe {name}: {one.name}: expected {_domain(one)}, found {value!r}")
    declared = {base_name(one.name) for one in hp.space}
    for known, value in recipe.items():
        if base_name(known) not in declared and value != default_of(base_name(known)):
            raise InputError(
                f"space: recipe {name}: expected {known} to be declared, for its value {value!r} is not the default; add "
                f"hp.Fixed({known!r}, {value!r}) to the space"
            )


def check_configuration(
    given: Mapping[str, Any], filled: Mapping[str, Any], hp: keras_tuner.HyperParameters
) -> None:
    """Raise InputError unless each of the `given` values, by name with or without its mark, is one of the configuration `filled`
    in the space `hp`."""
    for name, value in given.items():
        named = [one for one in hp.space if name in (one.name, base_name(one.name))]
        active = [one for one in named if one.name in filled]
        if not named:
            raise InputError(
                f"{name}: expected a hyperparameter of the space, one of {', '.join(sorted(one.name for one in hp.space))}"
            )
        if not active:
            needed = ", ".join(
                f"{parent} {' or '.join(map(str, v))}" for parent, v in _needed(hp, named[0]).items()
            )
            raise InputError(f"{name}: expected one that the configuration has; it needs {needed}")
        if not is_within(active[0], value):
            raise InputError(f"{name}: expected {_domain(active[0])}, found {value!r}")


def is_within(one: HyperParameter, value: Any) -> bool:
    """Whether `value` is one that the hyperparameter `one` can have."""
    if not isinstance(one, Int | Float):
        return value in _values(one)
    if not isinstance(value, int | float) or not one.min_value <= value <= one.max_value:
        return False
    if one.step is None or one.sampling != "linear":
        return True
    steps = (value - one.min_value) / one.step
    return abs(steps - round(steps)) < _ROUNDING * max(1.0, abs(steps))


def _check_range(one: HyperParameter) -> None:
    """Raise InputError for bounds, choices or a default of `one` that no recipe can have."""
    check_names([one.name])
    if isinstance(one, Int | Float):
        bounds = [one.min_value, one.max_value]
        step = [] if one.step is None or one.sampling != "linear" else [one.min_value + one.step]
        if isinstance(one, Float) and isinstance(default_of(base_name(one.name)), int) and not step:
            raise InputError(
                f"space: {one.name}: expected whole numbers, found a Float; declare hp.Int, or hp.Choice of whole numbers"
            )
        if not one.min_value <= one.default <= one.max_value:
            raise InputError(
                f"space: {one.name}: expected a default from {one.min_value:g} to {one.max_value:g}, found {one.default:g}"
            )
        values = [*bounds, *step, one.default]
    else:
        values = _values(one)
    try:
        check_values(one.name, values)
    except InputError as error:
        raise InputError(f"space: {one.name}: {error}") from error


def _values(one: HyperParameter) -> list[Any]:
    if isinstance(one, Choice):
        return list(one.values)
    return [one.value] if isinstance(one, Fixed) else [False, True]


def _domain(one: HyperParameter) -> str:
    if not isinstance(one, Int | Float):
        return f"one of {', '.join(map(str, _values(one)))}"
    steps = f" in steps of {one.step:g}" if one.step and one.sampling == "linear" else ""
    return f"{one.min_value:g} to {one.max_value:g}{steps}"


def _exclusive(hp: keras_tuner.HyperParameters, one: HyperParameter, other: HyperParameter) -> bool:
    """Whether the scopes of two hyperparameters are never open together."""
    mine, others = _needed(hp, one), _needed(hp, other)
    return any(not mine[parent] & others[parent] for parent in mine.keys() & others.keys())


def _needed(hp: keras_tuner.HyperParameters, one: HyperParameter) -> dict[str, set[Any]]:
    """Which values of which hyperparameters `one` needs to be active: those of its scopes, and of the scopes of those."""
    needed: dict[str, set[Any]] = {}
    waiting, seen = list(one.conditions), set()
    while waiting:
        condition = waiting.pop()
        needed[condition.name] = needed.get(condition.name, set(condition.values)) & set(condition.values)
        if condition.name not in seen:
            seen.add(condition.name)
            waiting += [c for parent in hp.space if parent.name == condition.name for c in parent.conditions]
    return needed
