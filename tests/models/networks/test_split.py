from __future__ import annotations

import keras
import numpy as np
import pytest

from models.backbones.registry import BACKBONES, block_boundaries
from models.networks.build import build_model
from models.networks.freezing import freeze
from models.networks.split import cut_position, fingerprints, split_model
from models.recipe import Recipe
from tests.models.whole_networks import whole_network


@pytest.fixture(scope="module", params=BACKBONES)
def model(request: pytest.FixtureRequest) -> keras.Model:
    return whole_network(request.param)


def test_the_cut_is_the_last_boundary_at_or_before_every_freeze_index(model: keras.Model) -> None:
    count = len(model.layers)
    boundaries = [count + b for b in block_boundaries(model)]
    for k in range(1, count):
        position = cut_position(model, -k)
        before = [b for b in boundaries if b <= count - k]
        if count - k >= [layer.name for layer in model.layers].index("avg_pool"):
            assert model.layers[position].name == "avg_pool"
        else:
            assert position == (max(before) if before else None)
    assert cut_position(model, 0) is None


def test_everything_before_the_cut_is_frozen(model: keras.Model) -> None:
    backbone = BACKBONES[model.name.removeprefix("ferplus_")]
    for freeze_before in backbone.freeze_choices[1:]:
        freeze(model, freeze_before)
        position = cut_position(model, freeze_before)
        assert position is not None
        assert not any(layer.trainable and layer.weights for layer in model.layers[: position + 1])
    freeze(model, 0)


def test_prefix_then_suffix_is_the_network(model: keras.Model) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype(np.uint8)
    expected = np.asarray(model(faces, training=False))
    for freeze_before in BACKBONES[model.name.removeprefix("ferplus_")].freeze_choices[1::5]:
        position = cut_position(model, freeze_before)
        assert position is not None
        prefix, suffix = split_model(model, position)
        found = np.asarray(suffix(prefix(faces, training=False), training=False))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_fingerprint_names_weights_and_settings_but_not_what_is_trained() -> None:
    def prefixes(seed: int = 0, size: int = 48, freeze_before: int = -3) -> dict[int, str]:
        keras.utils.set_random_seed(seed)
        model = build_model(Recipe(backbone="small", image_size=size, freeze_before=freeze_before))
        return fingerprints(model, cut_position(model, -3) or 0)

    same = prefixes()
    assert len(set(same.values())) == len(same) == 5
    assert prefixes() == same
    assert prefixes(freeze_before=0) == same
    for other in (prefixes(seed=1), prefixes(size=32)):
        assert not set(other.values()) & set(same.values())
