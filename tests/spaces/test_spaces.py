"""Every space can be drawn from, and what is drawn is a recipe whose model can be built."""

from __future__ import annotations

import random

import keras_tuner
import pytest

from models.backbones.registry import BACKBONES
from models.hyperparameters import base_name
from models.networks.build import build_model, compile_model
from models.optimization.optimizers import make_optimizer
from models.recipe import Recipe
from search.oracles.space.search_space import SpaceModel, declared, recipe_values
from spaces import SPACES


def draw(hp: keras_tuner.HyperParameters, seed: int) -> dict:
    drawn = keras_tuner.HyperParameters()
    for index, one in enumerate(hp.space):
        drawn.merge([one])
        drawn.values.pop(one.name, None)
        if drawn.is_active(one):
            drawn.values[one.name] = one.random_sample(seed * 1000 + index)
    return drawn.values


@pytest.fixture(scope="module", params=SPACES)
def space(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("seed", range(25))
def test_every_draw_is_a_recipe(space: str, seed: int) -> None:
    values = draw(declared(SpaceModel(SPACES[space], {})), seed)
    recipe = Recipe.from_hyperparameters(values)
    given = {base_name(name): value for name, value in values.items()}
    assert recipe.backbone == given["backbone"] and recipe.learning_rate == given["learning_rate"]
    assert recipe.freeze_before in BACKBONES[recipe.backbone].freeze_choices


def test_every_conditional_parameter_reaches_the_recipe(space: str) -> None:
    hp = declared(SpaceModel(SPACES[space], {}))
    seen: set[str] = set()
    for seed in range(200):
        recipe = Recipe.from_hyperparameters(draw(hp, seed))
        seen |= {recipe.lr_policy, *recipe.policy_parameters}
    policies = next(one for one in hp.space if one.name == "lr_policy").values
    assert set(policies) <= seen


def test_its_recipes_lie_in_the_space(space: str) -> None:
    hp = declared(SpaceModel(SPACES[space], {}))
    for name, recipe in SPACES[space].recipes.items():
        values = recipe_values(hp, recipe, {})
        assert {base_name(n): v for n, v in values.items()} == dict(recipe), name
        for one in hp.space:
            if one.name in values and hasattr(one, "values") and isinstance(values[one.name], str | int):
                assert values[one.name] in list(one.values), (name, one.name)


def test_a_drawn_model_builds_and_compiles(space: str) -> None:
    hp = declared(SpaceModel(SPACES[space], {}))
    values = draw(hp, random.Random(space).randrange(1000))
    size = max(48, BACKBONES[str(values["backbone"])].min_image_size)
    recipe = Recipe.from_hyperparameters({**values, "image_size": size})
    model = build_model(recipe)
    compile_model(model, make_optimizer(recipe))
    assert model.output_shape == (None, 8)


@pytest.mark.parametrize("space", ["ferplus", "baseline"])
def test_the_baselines_recipes_come_first_in_the_full_spaces(space: str) -> None:
    first, second = list(SPACES[space].recipes.values())[:2]
    assert (first["backbone"], first["freeze_before"]) == ("resnet50", -51)
    assert (second["backbone"], second["freeze_before"]) == ("senet50", -39)
    assert first["beta_1"] == second["beta_1"] == 0.5 and first["learning_rate"] == 1e-3
