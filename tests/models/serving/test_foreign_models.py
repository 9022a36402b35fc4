"""Models of something else, in every runtime: one line each, before or when they are asked about a face."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from models.serving import export
from models.serving.classifier import in_batches
from models.serving.export.proof import Evidence
from models.serving.runtimes import open_classifier

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype(np.uint8)


def refused(path: Path, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        open_classifier(path)(FACES)
    message = str(raised.value)
    assert str(path) in message and "\n" not in message and len(message) < 600, message


def graph(activation: str | None = "softmax", dtype: str = "uint8") -> tuple[Any, Any]:
    faces = keras.Input((48, 48, 1), dtype=dtype)
    return faces, layers.Dense(8, activation=activation)(layers.Flatten()(layers.Rescaling(1 / 255)(faces)))


class OfOnesOwn(keras.Model):
    def call(self, x: Any) -> Any:
        return x


def two_inputs() -> keras.Model:
    first, out = graph()
    second, other = graph()
    return keras.Model([first, second], out + other)


def not_finite() -> keras.Model:
    model = keras.Model(*graph())
    model.layers[-1].set_weights([np.full((2304, 8), np.nan), np.zeros(8)])
    return model


KERAS: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "no input shape": (lambda: keras.Sequential([layers.Flatten(), layers.Dense(8)]), "knows the shapes"),
    "named outputs": (lambda: named(), "one plain output"),
    "a list of one output": (lambda: listed(1), "one plain output"),
    "two outputs": (lambda: listed(2), "one input and one output"),
    "two inputs": (two_inputs, "one input and one output"),
    "floats in": (lambda: keras.Model(*graph(dtype="float32")), "found float32"),
    "seven classes": (lambda: sized((48, 48, 1), 7), r"\[7\] out"),
    "colour": (lambda: sized((48, 48, 3), 8), r"\[48, 48, 3\] in"),
    "larger faces": (lambda: sized((64, 64, 1), 8), r"\[64, 64, 1\] in"),
    "a class of one's own": (OfOnesOwn, "checkpoint"),
    "logits": (lambda: keras.Model(*graph(activation=None)), "sums from .* logits"),
    "eight probabilities apart": (lambda: keras.Model(*graph(activation="sigmoid")), "add up to 1"),
    "not a number": (not_finite, "not finite"),
}


def named() -> keras.Model:
    faces, out = graph()
    return keras.Model(faces, {"emotion": out})


def listed(count: int) -> keras.Model:
    faces, out = graph()
    return keras.Model(faces, [out] * count if count == 1 else [out, layers.Softmax()(out)])


def sized(shape: tuple[int, ...], classes: int) -> keras.Model:
    faces = keras.Input(shape, dtype="uint8")
    return keras.Model(faces, layers.Dense(classes, activation="softmax")(layers.Flatten()(faces)))


@pytest.mark.parametrize("name", KERAS)
def test_keras(name: str, tmp_path: Path) -> None:
    make, said = KERAS[name]
    path = tmp_path / "model.keras"
    make().save(path)
    refused(path, said)


@pytest.mark.parametrize(
    "config",
    [
        keras.saving.serialize_keras_object(keras.optimizers.Adam()),
        keras.saving.serialize_keras_object(layers.Dense(8)),
        {"class_name": "Nothing", "module": "nowhere", "config": {}},
        {}, [], 3, "text", None,
    ],
)  # fmt: skip
def test_a_keras_file_whose_configuration_is_no_model(config: Any, tmp_path: Path) -> None:
    keras.Model(*graph()).save(tmp_path / "whole.keras")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(tmp_path / "whole.keras") as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            new.writestr(member, json.dumps(config) if member == "config.json" else old.read(member))
    refused(path, "expected")


@pytest.mark.parametrize("suffix", [".keras", ".onnx", ".tflite", ".h5", ".hdf5"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n", b"text", bytes(999)]
)
def test_a_file_of_another_kind(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    refused(path, "expected")


@pytest.mark.parametrize("folder", [True, False])
def test_a_folder_of_something_else(folder: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.mkdir()
    if folder:
        (path / "saved_model.pb").write_bytes(b"no graph")
    refused(path, "expected a whole SavedModel")


def onnx_model(
    path: Path,
    *nodes: Any,
    dtype: int = TensorProto.UINT8,
    batch: Any = "b",
    outputs: tuple[str, ...] = ("out",),
    inputs: tuple[str, ...] = ("face",),
) -> Path:
    given = [helper.make_tensor_value_info(name, dtype, [batch, 48, 48, 1]) for name in inputs]
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 8]) for name in outputs]
    constants = [
        numpy_helper.from_array(np.full((2304, 8), 1.0, np.float32), "w"),
        numpy_helper.from_array(np.array([-1, 2304]), "flat"),
    ]
    body = [
        helper.make_node("Cast", ["face"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w"], ["logits"]),
        *nodes,
    ]
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ours", 1)]
    proto = helper.make_model(
        helper.make_graph(body, "g", given, taken, constants), opset_imports=opsets, ir_version=8
    )
    onnx.save(proto, path)
    return path


SOFTMAX = helper.make_node("Softmax", ["logits"], ["out"])
LOGITS = helper.make_node("Identity", ["logits"], ["out"])


@pytest.mark.parametrize(
    ("nodes", "options", "said"),
    [
        ([LOGITS], {}, "logits"),
        ([SOFTMAX], {"dtype": TensorProto.FLOAT}, "found float "),
        ([SOFTMAX], {"batch": 1}, "found 1 at a time"),
        ([SOFTMAX, helper.make_node("Identity", ["logits"], ["more"])], {"outputs": ("out", "more")}, "more"),
        ([SOFTMAX], {"inputs": ("face", "mask")}, "mask"),
        ([helper.make_node("Odd", ["logits"], ["out"], domain="ours")], {}, "does not load"),
        ([helper.make_node("Log", ["logits"], ["a"]), helper.make_node("Sub", ["a", "a"], ["b"]),
          helper.make_node("Div", ["b", "b"], ["out"])], {}, "not finite"),
    ],
)  # fmt: skip
def test_onnx(nodes: list[Any], options: dict[str, Any], said: str, tmp_path: Path) -> None:
    refused(onnx_model(tmp_path / "model.onnx", *nodes, **options), said)


def saved(path: Path, function: Any, *signature: Any) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.serve = tf.function(function, input_signature=signature)
    tf.saved_model.save(module, path, signatures=module.serve)
    return path


def tensorflow_models() -> dict[str, tuple[Callable[..., Any], list[Any], str]]:
    import tensorflow as tf

    def flat(face: Any) -> Any:
        return tf.reshape(tf.cast(face, tf.float32), (-1, 2304))[:, :8]

    faces = tf.TensorSpec((None, 48, 48, 1), tf.uint8)
    return {
        "logits": (lambda face: flat(face), [faces], "logits"),
        "two outputs": (lambda face: {"a": flat(face), "b": flat(face)}, [faces], "in and 2 "),
        "floats in": (
            lambda face: tf.nn.softmax(flat(face)),
            [tf.TensorSpec((None, 48, 48, 1), tf.float32)],
            "found float32",
        ),
    }


@pytest.mark.parametrize("name", ["logits", "two outputs", "floats in"])
def test_saved_model_and_litert(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    function, signature, said = tensorflow_models()[name]
    refused(saved(tmp_path / "saved", function, *signature), said)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    refused(tmp_path / "model.tflite", "in and 2 " if name == "two outputs" else said)


def test_a_saved_model_that_is_called_otherwise(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), tmp_path / "a")
    refused(tmp_path / "a", "serving_default, found none")
    refused(saved(tmp_path / "b", lambda: {"out": tf.zeros((1, 8))}), "none in")
    refused(
        saved(tmp_path / "c", lambda face: {"out": face}, tf.TensorSpec(None, tf.uint8)), r"uint8 \[\] in"
    )


@pytest.mark.parametrize("config", [[], {}, {"layers": []}, {"layers": [3]}, 3, None])
def test_an_old_file_of_something_else(config: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        file.create_group("model_weights").attrs["layer_names"] = []
    refused(tmp_path / "model.h5", "expected")


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_what_gives_no_probabilities_is_not_exported(
    activation: str | None, tiny: Dataset, tmp_path: Path
) -> None:
    model = keras.Model(*graph(activation))
    with pytest.raises(InputError, match="add up to 1"):
        export.export_model(model, ["keras"], tmp_path / "out", evidence=Evidence.of(tiny), about={})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "faces", [FACES / 255, FACES.astype(np.int64), FACES[..., 0], FACES[:, :40], FACES.repeat(3, -1)]
)
def test_faces_of_another_type_or_shape_are_refused(faces: np.ndarray) -> None:
    classify = in_batches(lambda faces: np.full((len(faces), 8), 1 / 8))
    assert classify(FACES).dtype == np.float32
    with pytest.raises(InputError, match=r"expected uint8 faces \[N, 48, 48, 1\], found"):
        classify(faces)
