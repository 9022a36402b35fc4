"""A space -> the hyperparameters it declares, with the user's pins in place, checked."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner

from ferplus_data.errors import InputError
from models.hyperparameters import base_name, canonical, canonical_values
from models.recipe import Recipe
from search.oracles.space.checks import check_recipe, check_space, is_within
from search.user_functions import reason
from spaces.space import Space


class SpaceModel(keras_tuner.HyperModel):
    """A space as Keras Tuner wants one: `build` declares the hyperparameters; the tuner makes the model itself.

    Args:
        space: What to declare.
        pins: The value of each hyperparameter that is fixed, by name.
    """

    def __init__(self, space: Space, pins: Mapping[str, Any]) -> None:
        super().__init__(name="space")
        recipes = {name: canonical_values(recipe) for name, recipe in space.recipes.items()}
        self.space, self.pins = dataclasses.replace(space, recipes=recipes), canonical_values(pins)

    def build(self, hp: keras_tuner.HyperParameters) -> None:
        pinning = _Pinning(hp, self.pins)
        for name, value in self.pins.items():
            if "@" not in name and name not in hp:  # a marked one has its place in its scope
                hp.Fixed(name, value)
        try:
            self.space.declare(pinning)
        except InputError:
            raise
        except Exception as error:
            raise SpaceError(f"the space function raised {reason(error)}") from error


class SpaceError(RuntimeError):
    """A user's space function raised."""


class _Pinning:
    """A `HyperParameters` that answers for pinned names with their value, in whatever scope they are declared, and declares the
    value that an alias is of."""

    def __init__(self, hp: keras_tuner.HyperParameters, pins: Mapping[str, Any]) -> None:
        self._hp, self._pins = hp, pins
        self._declared: dict[str, Any] = {}

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._hp, attribute)
        if attribute == "conditional_scope":
            return lambda parent_name, parent_values: found(
                parent_name, canonical(parent_name, parent_values)
            )
        if attribute not in {"Choice", "Int", "Float", "Boolean", "Fixed"}:
            return found

        def declare(name: str, *args: Any, **kwargs: Any) -> Any:
            written = [*args, *kwargs.values()]
            args = tuple(canonical(name, one) for one in args)
            kwargs = {option: canonical(name, one) for option, one in kwargs.items()}
            if kwargs.get("parent_name") is not None:
                kwargs["parent_values"] = canonical(kwargs["parent_name"], kwargs.get("parent_values"))
            return _as_written(name, self._declare(found, name, args, kwargs), written)

        return declare

    def _declare(
        self, declare: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if base_name(name) in self._pins:
            return self._pins[base_name(name)]
        if name in self._pins:
            return self._hp.Fixed(name, self._pins[name])
        declaration = (declare.__name__, args, kwargs)
        if self._declared.setdefault(name, declaration) != declaration:
            raise InputError(
                f"space: {name} is declared twice, each time otherwise, and Keras Tuner takes the first; if they are for "
                f"scopes that exclude each other, mark them, as in {name}@one and {name}@other"
            )
        return declare(name, *args, **kwargs)


def _as_written(name: str, value: Any, written: Iterable[Any]) -> Any:
    """Return the `value` of the hyperparameter `name` as the space function has `written` it, to compare it with that."""
    words = [word for one in written for word in (one if isinstance(one, list | tuple) else [one])]
    return {canonical(name, word): word for word in words if isinstance(word, str)}.get(value, value)


def declared(model: SpaceModel) -> keras_tuner.HyperParameters:
    """Return all that a space declares, every conditional scope visited.

    Raises:
        InputError: The space function raises, declares nothing, or names a hyperparameter that no recipe has.
    """
    oracle = keras_tuner.Oracle(objective=keras_tuner.Objective("val_accuracy", "max"))
    try:
        # Private, Keras Tuner 1.4.8: its own walk through the scopes, which asks of a tuner no more than these two. The public
        # way is a constructor of a tuner, which also makes a project's folder and builds a model.
        BaseTuner._activate_all_conditions(  # noqa: SLF001
            SimpleNamespace(oracle=oracle, hypermodel=model)
        )
        hp = oracle.get_space()
        check_space(hp)
        Recipe.from_hyperparameters(recipe_values(hp, {}, model.pins))
        for name, recipe in model.space.recipes.items():
            values = recipe_values(hp, recipe, model.pins)
            if all(recipe.get(pin, value) == value for pin, value in model.pins.items()):
                check_recipe(name, recipe, values, hp)
            Recipe.from_hyperparameters(values)
    except (SpaceError, ValueError) as error:
        raise InputError(str(error) if isinstance(error, InputError) else f"space: {error}") from error
    if not hp.space:
        raise InputError(
            "space: expected a function that declares hyperparameters, found one that declares none"
        )
    return hp


def recipe_values(
    hp: keras_tuner.HyperParameters, recipe: Mapping[str, Any], pins: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the active values of `recipe` in the space `hp`: its own where they are in the space, else the defaults, and the
    pins before both."""
    filled = keras_tuner.HyperParameters()
    for one in hp.space:
        filled.merge([copy.deepcopy(one)])
        if filled.is_active(one):
            known = {**recipe, **pins}
            value = known.get(one.name, known.get(base_name(one.name), one.default))
            filled.values[one.name] = value if is_within(one, value) else one.default
    return dict(filled.values)
