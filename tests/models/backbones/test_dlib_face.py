"""dlib's network in Keras's layers computes what dlib computes, and a file that is not its own is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.backbones import dlib_face
from models.backbones.dlib_weights import read_weights
from models.backbones.published_weights import MissingWeights
from models.backbones.registry import BACKBONES
from models.networks.weights import load_weights

ENTRY = BACKBONES["dlib_face"]


def integer(number: int) -> bytes:
    """`number` as dlib packs it."""
    size = max(1, (number.bit_length() + 7) // 8)
    return bytes([size]) + number.to_bytes(size, "little")


def layer(name: str, values: np.ndarray, before: int = 0) -> bytes:
    sizes = [2, len(values), 1, 1, 1]
    head = bytes([1, len(name)]) + name.encode() + integer(0) * before
    return head + b"".join(map(integer, sizes)) + values.astype("<f4").tobytes()


@pytest.fixture(scope="module")
def content() -> bytes:
    """A file of random weights in dlib's form."""
    rng, channels, layers = np.random.default_rng(0), 3, [b"a header"]
    for size, filters in [(7, 32), *[(3, f) for n, f in dlib_face.STAGES for _ in range(2 * n)]]:
        spread = (2 / (channels * size * size)) ** 0.5
        kernel = rng.normal(0, spread, filters * channels * size * size)
        layers.append(layer("con_4", np.concatenate([kernel, rng.normal(0, 0.1, filters)])))
        layers.append(
            layer("affine_", np.concatenate([rng.uniform(0.5, 1, filters), rng.normal(0, 0.1, filters)]))
        )
        channels = filters
    return b"".join([*layers, layer("fc_2", rng.normal(0, 0.1, 256 * 128), before=2)])


@pytest.fixture(scope="module")
def model() -> keras.Model:
    inputs = keras.Input((64, 64, 3))
    return keras.Model(inputs, dlib_face.body(inputs))


def test_the_affine_layers_function_is_kept_whatever_the_statistics(
    model: keras.Model, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.dat").write_bytes(content)
    weights = read_weights(tmp_path / "file.dat")
    images = np.random.default_rng(1).normal(0, 0.3, (4, 64, 64, 3)).astype(np.float32)
    dlib_face.assign_weights(model, weights)
    found = model.predict(images, verbose=0)
    # Mean 0, variance 1 - epsilon: what is left of a batch normalisation is gamma x + beta.
    affine = np.stack([np.zeros(3552, np.float32), np.full(3552, 1 - 1e-3, np.float32)])
    np.save(tmp_path / "affine.npy", affine)
    assert not np.allclose(np.load(dlib_face.STATISTICS), affine, atol=0.1)
    monkeypatch.setattr(dlib_face, "STATISTICS", tmp_path / "affine.npy")
    dlib_face.assign_weights(model, weights)
    gamma, beta, *_ = model.get_layer("conv3_2_increase_affine").get_weights()
    np.testing.assert_array_equal(gamma, weights.convolutions[10].affine.gamma)
    np.testing.assert_array_equal(beta, weights.convolutions[10].affine.beta)
    expected = model.predict(images, verbose=0)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_layers_are_counted_alike_at_every_size() -> None:
    listings = []
    for size in (64, 96, 128, 150):
        inputs = keras.Input((size, size, 3))
        layers = keras.Model(inputs, dlib_face.body(inputs)).layers
        listings.append([(type(layer).__name__, layer.name) for layer in layers[1:]])
    assert all(listing == listings[0] for listing in listings)


def test_descriptors_are_dlibs_own() -> None:
    dlib = pytest.importorskip("dlib", reason="needs dlib-bin (a test dependency)")
    try:
        path = ENTRY.weights.path()
    except MissingWeights as error:
        pytest.skip(str(error))
    inputs = keras.Input((150, 150, 3))
    network = keras.Model(inputs, dlib_face.body(inputs))
    weights = read_weights(path)
    dlib_face.assign_weights(network, weights)
    rng = np.random.default_rng(0)
    smooth = keras.ops.image.resize(rng.uniform(0, 255, (3, 12, 12, 3)), (150, 150), "bicubic")
    images = np.clip(np.asarray(smooth), 0, 255).astype(np.uint8)
    pooled = network.predict(
        (images - np.float32(dlib_face.RGB_MEAN)) / np.float32(dlib_face.SCALE), verbose=0
    )
    found = pooled.reshape(3, 256) @ weights.descriptor
    theirs = dlib.face_recognition_model_v1(str(path))
    expected = np.array([theirs.compute_face_descriptor(image) for image in images])
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-5)


def with_nan(content: bytes) -> bytes:
    end = content.index(b"affine_") - 2
    return content[: end - 400] + np.full(100, np.nan, "<f4").tobytes() + content[end:]


def with_a_size_changed(content: bytes) -> bytes:
    return content.replace(
        layer("affine_", np.zeros(0))[:9] + integer(2) + integer(64), b"\x01\x07affine_\x01\x02\x01\x3f", 1
    )


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated in a tensor": lambda content: content[: len(content) // 2],
    "truncated in a size": lambda content: content[: content.index(b"con_4") + 6],
    "without its last layer": lambda content: content[: content.index(b"fc_2")],
    "empty": lambda content: b"",
    "a web page": lambda content: b"<!DOCTYPE html><title>Not Found</title>" * 100,
    "garbage": lambda content: np.random.default_rng(0).bytes(100_000),
    "another network of dlib's": lambda content: layer("con_4", np.zeros(16 * 3 * 25 + 16)) + content,
    "values that are no numbers": with_nan,
    "a size changed": with_a_size_changed,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_another_file_is_refused_in_one_line_and_nothing_is_assigned(
    damage: str, model: keras.Model, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "weights.dat"
    damaged = DAMAGES[damage](content)
    assert damaged != content
    path.write_bytes(damaged)
    before = model.get_weights()
    with pytest.raises(InputError) as raised:
        load_weights(model, ENTRY, path)
    assert str(raised.value).startswith(f"{path}: expected dlib's {dlib_face.WEIGHTS_FILE}, found ")
    assert "\n" not in str(raised.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["nowhere.dat", "a folder"])
def test_a_file_that_is_none_is_named(name: str, model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    with pytest.raises(InputError, match=f"{name}: expected {dlib_face.WEIGHTS_FILE}, found: "):
        load_weights(model, ENTRY, tmp_path / name)
