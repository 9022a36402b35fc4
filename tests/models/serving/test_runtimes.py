from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import h5py
import keras
import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from models.backbones import vggface
from models.backbones.registry import BGR_MEAN
from models.networks.build import build_model
from models.recipe import Recipe
from models.serving.export import EXPORTERS
from models.serving.export.exporter import Conversion
from models.serving.runtimes import RUNTIMES, legacy_h5, open_classifier

FORMATS = ["keras", "onnx", "saved_model", "litert"]
TRUNCATED = ["model.keras", "model.onnx", "model.tflite", "saved_model/saved_model.pb",
             "saved_model/variables/variables.data-00000-of-00001"]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    folder = tmp_path_factory.mktemp("written")
    model = build_model(Recipe(backbone="small_vgg", image_size=32))
    conversion = Conversion("float32", np.zeros((3, 48, 48, 1), np.uint8), {"version": "1"})
    for name in FORMATS:
        EXPORTERS[name].write(model, folder, conversion)
    return model, folder


@pytest.mark.parametrize("name", FORMATS)
def test_the_kind_of_a_file_is_told_by_its_name(
    name: str, built: tuple[keras.Model, Path], tiny: Dataset
) -> None:
    model, folder = built
    classify = open_classifier(folder / EXPORTERS[name].files[0])
    faces = tiny.train.pixels()
    np.testing.assert_allclose(classify(faces), model.predict(faces, verbose=0), atol=1e-4)
    assert classify(faces[:0]).shape == (0, 8)


@pytest.mark.parametrize("name", TRUNCATED)
@pytest.mark.parametrize("tenth", [0, 1, 5, 9])
def test_a_truncated_file_is_refused_in_one_line(
    name: str, tenth: int, built: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    top = Path(name).parts[0]
    (shutil.copytree if (built[1] / top).is_dir() else shutil.copy)(built[1] / top, tmp_path / top)
    content = (built[1] / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(InputError, match=f"{top}.*expected a whole") as raised:
        open_classifier(tmp_path / top)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["weights.pkl", "model.pt", "model.zip", "model"])
def test_another_kind_of_file_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=name):
        open_classifier(tmp_path / name)


@pytest.mark.parametrize("suffix", [suffix for suffix in RUNTIMES if suffix])
def test_a_model_of_something_else_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    inputs = keras.Input((4,))
    other = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    if suffix in (".keras", ".h5"):
        other.save(path)
    elif suffix == ".hdf5":
        other.save(tmp_path / "other.h5")
        (tmp_path / "other.h5").rename(path)
    elif suffix == ".onnx":
        from onnx import TensorProto, helper

        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 4]) for name in "xy"]
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
        opsets = [helper.make_opsetid("", 15)]
        path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    else:
        other.export(path, format="litert", verbose=False)
    with pytest.raises(InputError, match="expected"):
        open_classifier(path)


def test_weights_of_an_onnx_file_in_other_files_are_not_followed(
    built: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    import onnx

    proto = onnx.load(built[1] / "model.onnx")
    path = tmp_path / "model.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(InputError, match="names of other files"):
        open_classifier(path)


@pytest.mark.parametrize("operation", ["ReadFile", "SaveV2"])
def test_a_saved_model_that_touches_files_is_refused(operation: str, tmp_path: Path) -> None:
    import tensorflow as tf

    def touch(face: tf.Tensor) -> tf.Tensor:
        if operation == "ReadFile":
            return tf.strings.length(tf.io.read_file("/etc/hostname"))
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / "written"), tensor_names=["x"], shape_and_slices=[""], tensors=[face]
        )
        return 0

    class Touches(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.uint8)])
        def serve(self, face: tf.Tensor) -> tf.Tensor:
            return tf.zeros((tf.shape(face)[0], 8)) + tf.cast(touch(face), tf.float32)

    module = Touches()
    tf.saved_model.save(module, tmp_path / "touches", signatures=module.serve)
    with pytest.raises(InputError, match=operation):
        open_classifier(tmp_path / "touches")
    assert not list(tmp_path.glob("written*"))


def test_a_name_in_the_archive_that_keras_does_not_write_is_refused(
    built: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    shutil.copy(built[1] / "model.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../escaped.txt", "no")
    with pytest.raises(InputError, match="escaped"):
        open_classifier(path)
    assert not (tmp_path.parent / "escaped.txt").exists()


def test_a_layer_that_is_code_is_refused_wherever_it_stands(
    built: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(built[1] / "model.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1]["config"]["nested"] = [{"class_name": "Lambda", "config": {}}]
                content = json.dumps(config).encode()
            new.writestr(name, content)
    with pytest.raises(InputError, match="Lambda"):
        open_classifier(path)


@pytest.fixture(scope="module")
def seed_checkpoint(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with seed.hdf5, faces.npy and the probabilities that Keras 2 gives them."""
    pytest.importorskip("tf_keras", reason="needs tf_keras (Keras 2, a test dependency)")
    folder = tmp_path_factory.mktemp("keras2")
    np.save(folder / "faces.npy", tiny.val.pixels()[:12, :, :, 0])
    script = Path(__file__).with_name("keras_2_checkpoint.py")
    command = [sys.executable, str(script), str(folder), "resnet50"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)  # 100 MB each


def test_a_checkpoint_of_the_seeds_kind_gives_what_keras_2_gives(seed_checkpoint: Path) -> None:
    faces = np.load(seed_checkpoint / "faces.npy")[..., None]
    expected = np.load(seed_checkpoint / "probabilities.npy")
    assert len(set(expected.argmax(axis=1))) > 2, "the labels tell nothing"
    found = open_classifier(seed_checkpoint / "seed.hdf5")(faces)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    # For an export the resize has to be in the network, and does not round to bytes.
    exported = legacy_h5.load_legacy_model(seed_checkpoint / "seed.hdf5").predict(faces, verbose=0)
    np.testing.assert_allclose(exported, expected, atol=0.1)
    content = (seed_checkpoint / "seed.hdf5").read_bytes()
    for tenth in range(10):
        broken = seed_checkpoint / "broken.hdf5"
        broken.write_bytes(content[: len(content) * tenth // 10])
        with pytest.raises(InputError, match="does not load"):
            open_classifier(broken)


def test_weights_alone_are_no_whole_model(tmp_path: Path) -> None:
    build_model(Recipe(backbone="small_vgg", image_size=32)).save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(InputError, match="weights without a model"):
        open_classifier(tmp_path / "model.weights.h5")


def test_the_network_is_told_by_its_layers(tmp_path: Path, tiny: Dataset) -> None:
    """SENet50 at a small size, written by Keras 3 in the old format."""
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Dropout(0.1)(keras.layers.Flatten()(vggface.senet50(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(8, activation="softmax")(x))
    model.save(tmp_path / "model.h5")
    faces = tiny.val.pixels()[:4]
    images = np.stack([cv2.resize(face, (32, 32)) for face in faces])[..., None].repeat(3, -1)
    expected = model.predict(images.astype(np.float32) - np.float32(BGR_MEAN), verbose=0)
    np.testing.assert_allclose(open_classifier(tmp_path / "model.h5")(faces), expected, atol=1e-4)


def test_an_old_file_with_a_configuration_of_another_kind_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"config": {"layers": [{"config": {}}]}})
        file.create_group("model_weights").attrs["layer_names"] = []
    with pytest.raises(InputError, match="does not load"):
        open_classifier(tmp_path / "model.h5")
