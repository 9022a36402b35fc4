"""What is kept from one training for another is looked up by the whole recipe, also by fields that it will have one day."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import keras
import pytest

from ferplus_data.dataset import Dataset
from models.frozen_prefix.activations import Caching
from models.frozen_prefix.cache import PrefixCache
from models.hyperparameters import Acts, Range, hyperparameter
from models.networks.compiled import Networks
from models.optimization.lr_policies import LR_POLICIES
from models.optimization.optimizers import OPTIMIZERS
from models.recipe import Recipe
from models.training.loop import train

# A head or a preparation of the faces that this version does not have.
Wider = dataclasses.make_dataclass("Wider", [("wider", int, 0)], bases=(Recipe,), frozen=True)
SMALL = {
    "image_size": 16,
    "freeze_before": -3,
    "augmentation": "none",
    "batch_size": 50,
    "lr_policy": "constant",
}
OPTIONS = {"weights": "none", "seed": 0, "precision": "float32"}


def test_a_field_that_nothing_is_known_of_is_in_every_key(tiny: Dataset, tmp_path: Path) -> None:
    cache = PrefixCache(tmp_path / "prefix", max_bytes=10**9)
    networks = Networks()
    kept = []
    for wider in (0, 1, 0):
        recipe = Wider(**SMALL, wider=wider)
        # So cheap a prefix pays only if very many trials share it.
        caching = Caching(cache, views=1, trials_per_prefix=lambda recipe: 1e9)
        directory = tmp_path / "trial"
        training = train(recipe, tiny, directory=directory, epochs=1, networks=networks, caching=caching)
        assert training.cached
        kept.append(
            (
                id(networks.get(recipe, **OPTIONS)),
                json.loads((directory / "training.json").read_text()),
                len(list((tmp_path / "prefix").glob("*/meta.json"))),
            )
        )
    assert kept[0][0] != kept[1][0] and kept[0][0] == kept[2][0]
    assert [identity["recipe"]["wider"] for _, identity, _ in kept] == [0, 1, 0]
    assert [entries for _, _, entries in kept] == [2, 4, 4]


@pytest.mark.parametrize(
    ("field", "value", "acts"),
    [
        ("dropout", 0.1, Acts.STEP),
        ("label_smoothing", 0.1, Acts.STEP),
        ("augmentation", "light", Acts.DATA),
        ("freeze_before", -14, Acts.TRACE),
        ("image_size", 20, Acts.GRAPH),
    ],
)
def test_a_field_is_left_out_where_it_is_harmless_only(field: str, value: object, acts: Acts) -> None:
    recipe, other = Recipe(**SMALL), Recipe(**{**SMALL, field: value})
    assert recipe.key() != other.key()
    assert recipe.key(harmless={acts}) == other.key(harmless={acts})
    assert recipe.key(harmless=set(Acts) - {acts}) != other.key(harmless=set(Acts) - {acts})


def test_every_field_says_where_it_acts() -> None:
    for field in dataclasses.fields(Recipe):
        assert isinstance(field.metadata["acts"], Acts), field.name


def test_the_backbones_own_image_size_is_no_other_network(networks: Networks) -> None:
    assert networks.get(Recipe(image_size=0), **OPTIONS) is networks.get(Recipe(image_size=48), **OPTIONS)


def test_another_optimizers_numbers_are_not_taken_for_adjustable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its values is another compiled step, unless ADJUSTABLE says otherwise."""

    def rms(recipe: Recipe, *, rho: float = 0.9) -> keras.optimizers.Optimizer:
        return keras.optimizers.RMSprop(recipe.learning_rate, rho=rho, momentum=recipe.beta_1)

    monkeypatch.setitem(OPTIMIZERS, "rms", rms)
    networks = Networks()
    first, second, third, fourth = (
        networks.get(Recipe.from_hyperparameters({"image_size": 16, "optimizer": "rms", **more}), **OPTIONS)
        for more in ({}, {"beta_1": 0.7}, {"rho": 0.5}, {"learning_rate": 0.1})
    )
    assert first is not second and first is not third and first is fourth
    assert (third.optimizer.rho, second.optimizer.momentum) == (0.5, 0.7)


def test_a_policy_with_a_parameter_of_its_own_needs_no_other_place(
    monkeypatch: pytest.MonkeyPatch, tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    def halving(
        initial_lr: float, *, epoch: float, epochs: int, val_losses: list, half_life: float = 0.5
    ) -> float:
        return initial_lr * 0.5 ** (epoch / epochs / half_life)

    monkeypatch.setitem(LR_POLICIES, "halving", halving)
    recipe = Recipe.from_hyperparameters({**SMALL, "lr_policy": "halving", "half_life": 0.25})
    training = train(recipe, tiny, directory=tmp_path, epochs=2, networks=networks)
    # Two steps an epoch: the last begins after three quarters of the training.
    assert training.history[-1].learning_rate == pytest.approx(1e-3 * 0.5**3)


def test_a_declared_range_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = dataclasses.make_dataclass(
        "Bounded",
        [("width", int, hyperparameter(1, Acts.GRAPH, range=Range(1, 4)))],
        bases=(Recipe,),
        frozen=True,
    )
    assert bounded.from_hyperparameters({"width": 4}).width == 4
    with pytest.raises(ValueError, match="width: expected 1 to 4, found 5"):
        bounded.from_hyperparameters({"width": 5})
