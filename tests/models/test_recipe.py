from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ferplus_data.errors import InputError
from models.hyperparameters import ALIASES, own_parameters
from models.optimization.lr_policies import LR_POLICIES
from models.recipe import Recipe, all_own_parameters, check_values, hyperparameter_names


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"backbone": "vgg99"}, "unknown backbone 'vgg99'"),
        ({"optimizer": "lion"}, "unknown optimizer"),
        ({"lr_policy": "up"}, "unknown lr policy"),
        ({"class_weights": "heavy"}, "unknown class weights"),
        ({"target": "both"}, "unknown target"),
        ({"augmentation": "wild"}, "unknown augmentation"),
        ({"dropuot": 0.3}, "unknown hyperparameter 'dropuot'"),
        ({"dropout": 1.0}, "dropout: expected 0 to 0.999999"),
        ({"dropout": "much"}, "dropout: expected a number"),
        ({"learning_rate": 0}, "learning_rate: expected"),
        ({"batch_size": 1.5}, "batch_size: expected a whole number"),
        ({"batch_size": True}, "batch_size: expected a number"),
        ({"image_size": 8}, "image size for small"),
    ],
)
def test_a_bad_value_is_named(values: dict, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        Recipe.from_hyperparameters(values)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("policy", LR_POLICIES)
def test_a_policy_gets_its_own_parameters_and_no_others(policy: str) -> None:
    everything = {name: parameter.default for name, parameter in all_own_parameters().items()}
    recipe = Recipe.from_hyperparameters({"lr_policy": policy, **everything})
    assert set(recipe.policy_parameters) == set(own_parameters(LR_POLICIES[policy]))


@pytest.mark.parametrize(
    ("name", "alias", "own"),
    [(name, alias, own) for name, aliases in ALIASES.items() for alias, own in aliases.items()],
)
def test_an_alias_is_the_value_it_is_of(name: str, alias: str, own: str) -> None:
    table = Recipe.__dataclass_fields__[name].metadata["table"]
    assert own in table and alias not in table
    given: list[dict[str, Any]] = [{name: alias}, {f"{name}@one": alias}, {name: own}]
    recipes = [Recipe(**{name: alias}), *map(Recipe.from_hyperparameters, given)]
    recipes.append(dataclasses.replace(Recipe(), **{name: alias}))
    assert {getattr(recipe, name) for recipe in recipes} == {own}
    assert all(recipe == recipes[0] and recipe.key() == recipes[0].key() for recipe in recipes)
    check_values(name, [alias, own])


def test_a_mark_only_tells_names_apart() -> None:
    assert Recipe.from_hyperparameters({"learning_rate@sgd": 0.1}).learning_rate == 0.1


def test_every_field_can_be_pinned() -> None:
    names = hyperparameter_names()
    assert {"backbone", "image_size", "dropout", "plateau_factor", "warmup_fraction"} <= set(names)
    assert not {"policy_parameters", "optimizer_parameters", "weighting_parameters"} & set(names)
