"""Which trials are expected to share the activations of a prefix."""

from __future__ import annotations

import keras_tuner
import pytest

from models.recipe import Recipe
from search.workers.prefix_caching import trials_per_prefix
from spaces import SPACES


def two_backbones(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("backbone", ["resnet50", "senet50"])
    with hp.conditional_scope("backbone", ["resnet50"]):
        hp.Choice("freeze_before@resnet50", [0, -51, -9, -3])
    with hp.conditional_scope("backbone", ["senet50"]):
        hp.Choice("freeze_before@senet50", [0, -39])
    hp.Choice("augmentation", ["none", "light"])


def pinned(hp: keras_tuner.HyperParameters) -> None:
    hp.Fixed("backbone", "resnet50")
    hp.Fixed("freeze_before", -51)
    hp.Choice("augmentation", ["none", "light"])


@pytest.mark.parametrize(
    ("space", "values", "expected"),
    [
        # Of 120 trials one in six has each pair of backbone and index, half of them each augmentation.
        (two_backbones, {"backbone": "resnet50", "freeze_before": -3}, 10),
        (two_backbones, {"backbone": "resnet50", "freeze_before": -9}, 20),
        (two_backbones, {"backbone": "resnet50", "freeze_before": -51}, 30),
        (two_backbones, {"backbone": "senet50", "freeze_before": -39}, 10),
        (two_backbones, {"backbone": "senet50", "freeze_before": -39, "augmentation": "baseline"}, 1),
        (pinned, {"backbone": "resnet50", "freeze_before": -51}, 60),
    ],
)
def test_trials_that_freeze_more_use_what_a_shorter_prefix_has(
    space: object, values: dict, expected: float
) -> None:
    hp = keras_tuner.HyperParameters()
    space(hp)
    recipe = Recipe(**{"augmentation": "light", **values})
    assert trials_per_prefix(120, hp)(recipe) == pytest.approx(expected)


def test_in_the_space_of_dlibs_network_a_short_prefix_is_for_almost_every_trial() -> None:
    hp = keras_tuner.HyperParameters()
    SPACES["transfer"].declare(hp)
    (choices,) = [one.values for one in hp.space if one.name == "freeze_before"]
    frozen = sorted(index for index in choices if index < 0)
    recipes = [Recipe(backbone="dlib_face", freeze_before=index, augmentation="light") for index in frozen]
    found = [trials_per_prefix(100, hp)(recipe) for recipe in recipes]
    assert found == pytest.approx([50 * (len(frozen) - n) / len(choices) for n in range(len(frozen))])
