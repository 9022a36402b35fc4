from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.backbones.registry import BACKBONES, HEAD_ONLY, Backbone
from models.networks.freezing import freeze
from models.networks.weights import find_published, load_weights

# Keras 2 and Keras 3 do not live in one process, so keras-vggface under Keras 2 (tf_keras) runs in another.
KERAS_2_SCRIPT = """
import sys, types
import numpy as np
import tf_keras

sys.modules["keras"] = tf_keras
for name in ("layers", "models", "backend", "utils"):
    sys.modules["keras." + name] = getattr(tf_keras, name)
def lend(name, **members):
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__.update(members)
lend("keras.engine"); lend("keras.engine.topology", get_source_inputs=tf_keras.utils.get_source_inputs)
lend("keras.utils.data_utils", get_file=tf_keras.utils.get_file)
tf_keras.utils.layer_utils = None
from keras_vggface.models import RESNET50, SENET50

folder, rng = sys.argv[1], np.random.default_rng(0)
images = rng.uniform(-128, 128, (2, 224, 224, 3)).astype("float32")
np.save(f"{folder}/images.npy", images)
for name, build in (("resnet50", RESNET50), ("senet50", SENET50)):
    model = build(include_top=False, weights=None)
    norms = [layer for layer in model.layers if "BatchNormalization" in type(layer).__name__]
    for layer in norms:
        layer.momentum = 0.2
    model(images, training=True)  # moving statistics that fit the activations, so that outputs stay in range
    for layer in norms:
        gamma, beta, mean, variance = layer.get_weights()
        gamma, beta = rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0, 0.3, beta.shape)
        layer.set_weights([gamma, beta, mean + rng.normal(0, 0.1, mean.shape) * np.sqrt(variance), variance])
    np.save(f"{folder}/{name}.npy", model(images, training=False).numpy())
    model.save_weights(f"{folder}/{name}.h5")
"""


@pytest.fixture(scope="module")
def keras_2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with images.npy and, by network, its Keras 2 weights (.h5) and outputs (.npy)."""
    if importlib.util.find_spec("tf_keras") is None:
        pytest.skip("needs tf_keras (Keras 2, a test dependency)")
    folder = tmp_path_factory.mktemp("keras2")
    done = subprocess.run([sys.executable, "-c", KERAS_2_SCRIPT, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)  # 200 MB, which pytest would keep for its last three runs


def build(name: str, size: int = 48) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Flatten()(BACKBONES[name].body(keras.layers.Rescaling(1.0)(inputs)))
    x = keras.layers.Dropout(0.3, name="dropout_layer")(x)
    return keras.Model(inputs, keras.layers.Dense(8, activation="softmax", name="dense")(x))


def pooled(model: keras.Model, images: np.ndarray) -> np.ndarray:
    network = keras.Model(model.inputs, model.get_layer("avg_pool").output)
    return keras.ops.convert_to_numpy(network([images], training=False))


@pytest.fixture(scope="module")
def resnet50() -> keras.Model:
    return build("resnet50", 224)


@pytest.fixture(scope="module")
def senet50() -> keras.Model:
    return build("senet50", 224)


@pytest.mark.parametrize("name", ["resnet50", "senet50"])
def test_a_file_of_keras_vggface_under_keras_2_gives_its_outputs(
    name: str, keras_2: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    head = model.get_layer("dense").get_weights()
    load_weights(model, BACKBONES[name], str(keras_2 / f"{name}.h5"))
    expected = np.load(keras_2 / f"{name}.npy")
    assert expected.std() > 0.1
    np.testing.assert_allclose(pooled(model, np.load(keras_2 / "images.npy")), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(model.get_layer("dense").get_weights()[0], head[0])


@pytest.mark.parametrize(
    ("file", "into"), [("senet50", "resnet50"), ("resnet50", "senet50"), ("resnet50", "small")]
)
def test_a_file_of_another_network_is_refused_and_nothing_is_assigned(
    file: str, into: str, keras_2: Path, request: pytest.FixtureRequest
) -> None:
    model = build("small") if into == "small" else request.getfixturevalue(into)
    refused(model, BACKBONES[into], keras_2 / f"{file}.h5", f"{file}.h5: expected the .* {into}, found ")


@pytest.mark.parametrize("download", ["works", "is there already"])
def test_published_weights_are_fetched_once_into_kerass_cache(
    download: str, resnet50: keras.Model, keras_2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "rcmalli_vggface_tf_notop_resnet50.h5"
    cache = tmp_path / "models" / "vggface"
    cache.mkdir(parents=True)
    calls = []

    def get_file(fname: str, origin: str, cache_subdir: str) -> str:
        calls.append(origin)
        (Path(cache_subdir) / fname).symlink_to(keras_2 / "resnet50.h5")
        return str(Path(cache_subdir) / fname)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    if download == "is there already":
        (cache / name).symlink_to(keras_2 / "resnet50.h5")
    first = resnet50.layers[2]
    first.set_weights([np.zeros_like(w) for w in first.get_weights()])
    load_weights(resnet50, BACKBONES["resnet50"], "vggface2")
    assert np.abs(first.get_weights()[0]).sum() > 0
    assert calls == ([BACKBONES["resnet50"].weights.url] if download == "works" else [])
    assert os.listdir(cache) == [name]


def test_without_network_the_error_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_file(*args: object, **options: object) -> str:
        raise Exception(
            "URL fetch failure on https://github.com: None --\n [Errno -2] Name or service not known"
        )

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    model = build("small")  # never looked at: the fetch comes first
    backbone = BACKBONES["senet50"]
    message = refused(model, backbone, "vggface2", "rcmalli_vggface_tf_notop_senet50.h5")
    for part in (backbone.weights.url, str(tmp_path), "--weights FILE", "--weights none", "Name or service"):
        assert str(part) in message


# Below, the small network stands for all: what is tested is the reading of files.


def write_keras_2(
    model: keras.Model, path: Path, *, top: bool = False, whole: bool = False, rename: str = ""
) -> None:
    """The layout of Keras 2's save_weights, or of its save with `whole`."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        layers = [layer for layer in model.layers if top or layer.name != "dense"]
        names = [
            f"{rename}{i}" if rename else layer.name.replace("_bn", "/bn") for i, layer in enumerate(layers)
        ]
        root.attrs["layer_names"] = [name.encode() for name in names]
        for name, layer in zip(names, layers, strict=True):
            group = root.create_group(name)
            weight_names = [f"{name}/weight{i}:0" for i in range(len(layer.weights))]
            group.attrs["weight_names"] = [weight_name.encode() for weight_name in weight_names]
            for weight_name, value in zip(weight_names, layer.get_weights(), strict=True):
                group.create_dataset(weight_name, data=value)


WRITERS = {
    "keras2 no top": ("weights.h5", write_keras_2),
    "keras2 with top": ("weights.h5", lambda model, path: write_keras_2(model, path, top=True)),
    "keras2 whole model": ("model.h5", lambda model, path: write_keras_2(model, path, top=True, whole=True)),
    "keras2 other names": (
        "weights.h5",
        lambda model, path: write_keras_2(model, path, top=True, rename="layer"),
    ),
    "keras3 weights": ("model.weights.h5", lambda model, path: model.save_weights(path)),
    "keras3 model": ("model.keras", lambda model, path: model.save(path)),
}


def refused(model: keras.Model, backbone: Backbone, source: str | Path, match: str) -> str:
    """Assert that loading fails with one line matching `match` and leaves the model as it was."""
    before = model.get_weights()
    with pytest.raises(InputError, match=match) as raised:
        load_weights(model, backbone, source)
    assert "\n" not in str(raised.value) and "--weights" in str(raised.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return str(raised.value)


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = build("small_se")
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(w) + rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    freeze(
        model, HEAD_ONLY
    )  # as a model is when it is saved; the order of its weights in a file must not care
    return model


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_body_its_weights_and_leaves_the_head(
    layout: str, trained: keras.Model, tmp_path: Path
) -> None:
    filename, write = WRITERS[layout]
    write(trained, tmp_path / filename)
    model = build("small_se")
    load_weights(model, BACKBONES["small_se"], tmp_path / filename)
    for source, layer in zip(trained.layers, model.layers, strict=True):
        for expected, found in zip(source.get_weights(), layer.get_weights(), strict=True):
            assert np.array_equal(expected, found) == (layer.name != "dense"), layer.name


def test_none_leaves_the_random_weights() -> None:
    model = build("small")
    before = model.get_weights()
    load_weights(model, BACKBONES["small"], "none")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (name, asked)
        for asked in ("vggface2", "dlib")
        for name, backbone in BACKBONES.items()
        if backbone.default_weights != asked and name != "senet50"
    ],
)
def test_published_weights_are_refused_for_other_backbones(name: str, asked: str) -> None:
    others = {"vggface2": "resnet50 and senet50", "dlib": "dlib_face"}[asked]
    model = build("small")  # never looked at
    refused(
        model,
        BACKBONES[name],
        asked,
        f"weights for {name}: .* found {asked}, which is published for {others} only",
    )


@pytest.mark.parametrize(
    "missing", [("resnet50",), ("senet50", "dlib_face"), ("resnet50", "senet50", "small")]
)
def test_every_missing_file_is_named_at_once(
    missing: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*args: object, **options: object) -> str:
        raise Exception("no network")

    def not_installed(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", unreachable)
    monkeypatch.setattr(importlib.metadata, "files", not_installed)
    with pytest.raises(InputError) as raised:
        find_published(BACKBONES[name] for name in missing)
    message = str(raised.value)
    files = {BACKBONES[name].weights.file for name in missing if name != "small"}
    assert all(f"{file}, but" in message or f"{file} of the package" in message for file in files)
    assert all(name in message for name in missing if name != "small")
    assert ("pip install -r requirements-dlib.txt" in message) == ("dlib_face" in missing)
    assert message.count(str(tmp_path)) == 1 and "small" not in message and "\n" not in message
    assert "--weights FILE" in message and "--weights none" in message


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


DAMAGES = {
    "truncated": truncated,
    "empty": lambda content: b"",
    "a web page": lambda content: b"<!DOCTYPE html><title>Not Found</title>" * 100,
}


@pytest.mark.parametrize("layout", ["keras2 no top", "keras3 weights", "keras3 model"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_nothing_is_assigned(
    layout: str, damage: str, trained: keras.Model, tmp_path: Path
) -> None:
    filename, write = WRITERS[layout]
    path = tmp_path / filename
    write(trained, path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    refused(build("small_se"), BACKBONES["small_se"], path, f"{filename}: expected Keras weights")


@pytest.mark.parametrize("layout", ["keras2 no top", "keras2 other names", "keras3 weights", "keras3 model"])
def test_the_same_layers_with_another_shape_are_refused_by_layer_and_shape(
    layout: str, trained: keras.Model, tmp_path: Path
) -> None:
    def without_its_last_bias(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name == "conv3_2_1x1_up":
            config["use_bias"] = False
        return type(layer).from_config(config)

    filename, write = WRITERS[layout]
    write(keras.models.clone_model(trained, clone_function=without_its_last_bias), tmp_path / filename)
    match = f"{filename}: expected shapes .* for layer conv3_2_1x1_up of small_se"
    refused(build("small_se"), BACKBONES["small_se"], tmp_path / filename, match)


def test_hdf5_that_holds_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros(3)
    refused(build("small"), BACKBONES["small"], path, "other.h5: expected Keras weights")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.h5"
    refused(
        build("small"),
        BACKBONES["small"],
        str(path),
        f"{path}: expected dlib, vggface2, none or a weights file",
    )
