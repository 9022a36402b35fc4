from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from models.backbones import vggface

NETWORKS = {"resnet50": vggface.resnet50, "senet50": vggface.senet50}
# Sums over the baseline's listings: all parameters, and the moving statistics among them.
PARAMETERS = {"resnet50": (23_577_544, 53_120), "senet50": (26_108_536, 53_120)}


def with_head(network: Callable, size: int) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Flatten()(network(inputs))
    x = keras.layers.Dropout(0.3, name="dropout_layer")(x)
    return keras.Model(inputs, keras.layers.Dense(8, activation="softmax", name="dense")(x))


@pytest.fixture(scope="module", params=NETWORKS)
def built(request: pytest.FixtureRequest) -> tuple[str, keras.Model]:
    return request.param, with_head(NETWORKS[request.param], 224)


def test_layers_are_those_of_the_seeds_listing_in_its_order(built: tuple[str, keras.Model]) -> None:
    name, model = built
    text = (Path(__file__).parent / f"{name}_listing.txt").read_text()
    listing = [line.split() for line in text.splitlines() if not line.startswith("#")]
    found = []
    for layer, (_, listed_name, *_) in zip(model.layers, listing, strict=True):
        shown = "-" if listed_name == "-" else layer.name
        output = layer.output.shape[1:]
        found.append([type(layer).__name__, shown, "x".join(map(str, output)), str(layer.count_params())])
    assert found == listing
    assert len(listing) == {"resnet50": 177, "senet50": 289}[name]


def test_parameter_totals_are_the_listings(built: tuple[str, keras.Model]) -> None:
    name, model = built
    moving = sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights)
    assert (model.count_params(), moving) == PARAMETERS[name]


def test_a_small_image_behind_other_layers_gives_the_same_layers_from_the_end(
    built: tuple[str, keras.Model],
) -> None:
    name, at_224 = built
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Concatenate()([inputs, inputs, inputs])
    x = keras.layers.Rescaling(0.01)(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(NETWORKS[name](x)))
    model = keras.Model(inputs, keras.layers.Dense(8, activation="softmax")(x))

    network = -(len(at_224.layers) - 1)
    for layer, counterpart in zip(model.layers[network:-4], at_224.layers[1:-4], strict=True):
        assert type(layer) is type(counterpart)
        assert [w.path for w in layer.weights] == [w.path for w in counterpart.weights]
        assert [w.shape for w in layer.weights] == [w.shape for w in counterpart.weights]
    assert model.layers[-4].name == at_224.layers[-4].name == "avg_pool"
    assert isinstance(model.layers[-4], keras.layers.GlobalAveragePooling2D)
    output = model(np.random.default_rng(0).normal(size=(2, 32, 32, 1)))
    assert output.shape == (2, 8) and np.isfinite(output).all()


def not_yet_used() -> ModuleType:
    """Another `models.backbones.vggface`, which has loaded nothing."""
    spec = importlib.util.spec_from_file_location("not_yet_used", vggface.__file__)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stand_ins_are_gone_after_loading_and_what_stood_there_is_back() -> None:
    lent = ["keras.engine", "keras.engine.topology", "keras.utils.data_utils", "keras.utils.layer_utils"]
    before = {name: sys.modules.get(name) for name in lent}
    mark = sys.modules["keras.engine"] = type(sys)("keras.engine")
    try:
        sys.modules.pop("keras_vggface.models", None)
        not_yet_used().block_functions()
        assert sys.modules["keras.engine"] is mark
    finally:
        del sys.modules["keras.engine"]
    assert all(sys.modules.get(name) is None for name in lent)
    assert all(module is None for module in before.values())


def test_several_threads_may_ask_for_it_first() -> None:
    module = not_yet_used()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: module.block_functions(), range(8)))
    assert len(set(answers)) == 1


def test_block_functions_take_the_widths_and_strides_given() -> None:
    blocks = vggface.block_functions()
    inputs = keras.Input((16, 16, 3))
    x = blocks.resnet_conv_block(inputs, 3, [4, 4, 32], stage=2, block=1, strides=(2, 2))
    x = blocks.resnet_identity_block(x, 3, [4, 4, 32], stage=2, block=2)
    x = blocks.senet_conv_block(x, 3, [8, 8, 64], stage=3, block=1, strides=(2, 2))
    x = blocks.senet_identity_block(x, 3, [8, 8, 64], stage=3, block=2)
    assert x.shape == (None, 4, 4, 64)
    names = [layer.name for layer in keras.Model(inputs, x).layers]
    assert "conv2_1_1x1_reduce_bn" in names and "conv3_2_1x1_up" in names
