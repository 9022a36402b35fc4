from __future__ import annotations

import keras
import numpy as np
import pytest

from models.backbones.registry import BACKBONES
from models.networks.build import build_model, compile_model
from models.optimization.optimizers import OPTIMIZERS, make_optimizer
from models.recipe import Recipe
from tests.models.whole_networks import whole_network


@pytest.fixture(scope="module", params=BACKBONES)
def built(request: pytest.FixtureRequest) -> keras.Model:
    return whole_network(request.param)


def test_raw_faces_in_probabilities_out(built: keras.Model) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype(np.uint8)
    assert built.input.dtype == "uint8"
    probabilities = built.predict(faces, verbose=0)
    assert probabilities.shape == (3, 8)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_head_ends_the_listing(built: keras.Model) -> None:
    assert [layer.name for layer in built.layers[-4:]] == ["avg_pool", "flatten", "dropout_layer", "dense"]


def test_the_network_sees_grey_minus_the_mean(built: keras.Model) -> None:
    centred = keras.Model(built.input, built.get_layer("subtract_mean").output)
    faces = np.full((1, 48, 48, 1), 200, np.uint8)
    backbone = BACKBONES[built.name.removeprefix("ferplus_")]
    # Of keras-vggface's preprocess_input, version 2 (VGGFace2), BGR; of dlib's input_rgb_image_sized, RGB.
    means, scale = (91.4953, 103.8827, 131.0912), 1
    if backbone.name == "dlib_face":
        means, scale = (122.782, 117.001, 104.298), 256
    expected = (200 - np.array(means)) / scale
    np.testing.assert_allclose(np.asarray(centred(faces))[0, 5, 7], expected, rtol=1e-6)


def test_other_sizes_keep_the_layer_count() -> None:
    plain = build_model(Recipe(image_size=48))
    larger = build_model(Recipe(image_size=64))
    kinds = [type(layer) for layer in larger.layers if layer.name != "resize"]
    assert kinds == [type(layer) for layer in plain.layers]
    assert larger.get_layer("resize").output.shape[1:3] == (64, 64)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_spares_biases_and_normalisation(optimizer: str) -> None:
    """Without a gradient, nothing but the decay changes a weight; Adam has none."""
    recipe = Recipe(backbone="small_vgg", optimizer=optimizer, weight_decay=0.1, learning_rate=0.02)
    model = build_model(recipe)
    compile_model(model, make_optimizer(recipe))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    weights = model.trainable_variables
    for weight in weights:
        weight.assign(keras.ops.ones_like(weight))
    model.optimizer.apply([keras.ops.zeros_like(weight) for weight in weights], weights)
    left = {(one.path.rsplit("/", 1)[-1], round(float(keras.ops.mean(one)), 4)) for one in weights}
    kernel = 1 if optimizer == "adam" else 0.998
    assert left == {("kernel", kernel), ("gamma", 1), ("beta", 1), ("bias", 1)}


def test_moving_statistics_follow_as_the_backbone_says(built: keras.Model) -> None:
    momenta = {layer.momentum for layer in built.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {BACKBONES[built.name.removeprefix("ferplus_")].batch_norm_momentum or 0.99}
