from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.backbones.registry import BACKBONES, HEAD_ONLY, block_boundaries
from tests.models.whole_networks import whole_network

# Freeze points named by the baseline or the benchmarks, with the layer each stands for in the listings.
NAMED = {
    "resnet50": {
        -51: "conv4_5_3x3_bn",
        -41: "conv4_6_3x3_bn",
        -25: "conv5_1_1x1_proj_bn",
        -12: "conv5_3_1x1_reduce_bn",
    },
    "senet50": {-39: "conv5_1_1x1_proj_bn"},
}
INNER = {"resnet50": {-51, -41, -12}}  # those of them inside a block


@pytest.fixture(scope="module", params=BACKBONES)
def built(request: pytest.FixtureRequest) -> tuple[str, keras.Model]:
    return request.param, whole_network(request.param)


def test_freeze_choices_are_the_block_boundaries_found_in_the_network(built: tuple[str, keras.Model]) -> None:
    name, model = built
    expected = {*block_boundaries(model), *INNER.get(name, ()), HEAD_ONLY}
    assert BACKBONES[name].freeze_choices == (0, *sorted(expected))


def test_a_boundary_is_the_weightless_layer_feeding_a_block(built: tuple[str, keras.Model]) -> None:
    _, model = built
    boundaries = block_boundaries(model)
    assert boundaries
    for index in boundaries:
        first = model.layers[index + 1]
        assert re.fullmatch(r"conv\d_\d(_1x1)?_reduce|conv[23]_1", first.name)
        assert first.input is model.layers[index].output
        assert not model.layers[index].weights


def test_named_points_leave_the_same_layer_the_last_frozen(built: tuple[str, keras.Model]) -> None:
    name, model = built
    for index, last_frozen in NAMED.get(name, {}).items():
        assert index in BACKBONES[name].freeze_choices
        weighted = [layer.name for layer in model.layers[:index] if layer.weights]
        assert weighted[-1] == last_frozen


def test_head_only_is_flatten_dropout_dense(built: tuple[str, keras.Model]) -> None:
    _, model = built
    kinds = [type(layer).__name__ for layer in model.layers[HEAD_ONLY - 1 :]]
    assert kinds == ["GlobalAveragePooling2D", "Flatten", "Dropout", "Dense"]


def test_the_body_is_pooled_to_one_pixel_and_ends_in_avg_pool(built: tuple[str, keras.Model]) -> None:
    _, model = built
    pooled = model.get_layer("avg_pool").output
    assert pooled.shape[:3] == (None, 1, 1) and pooled.shape[3] > 0
    assert model.layers[-4].name == "avg_pool"


@pytest.mark.parametrize(
    "backbone", [b for b in BACKBONES.values() if b.min_image_size < 32], ids=lambda b: b.name
)
def test_the_smallest_image_size_runs(backbone) -> None:
    size = backbone.min_image_size
    inputs = keras.Input((size, size, 3))
    output = keras.Model(inputs, backbone.body(inputs)).predict(np.ones((1, size, size, 3)), verbose=0)
    assert np.isfinite(output).all()


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda b: b.name)
def test_a_smaller_image_is_refused(backbone) -> None:
    backbone.check_image_size(backbone.min_image_size)
    with pytest.raises(InputError, match=f"{backbone.name}.*{backbone.min_image_size - 1}"):
        backbone.check_image_size(backbone.min_image_size - 1)
    assert backbone.default_image_size >= backbone.min_image_size


def test_published_weights_are_keras_vggfaces_own() -> None:
    from models.backbones import vggface

    vggface.block_functions()  # keras_vggface can be imported from here on
    from keras_vggface import utils

    assert BACKBONES["resnet50"].weights.url == utils.RESNET50_WEIGHTS_PATH_NO_TOP
    assert BACKBONES["senet50"].weights.url == utils.SENET50_WEIGHTS_PATH_NO_TOP


def test_the_tables_are_read_without_keras() -> None:
    code = (
        "import sys, models.backbones.registry, models.optimization.lr_policies, models.optimization.class_weights;"
        "print([m for m in ('keras', 'tensorflow', 'keras_vggface') if m in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
