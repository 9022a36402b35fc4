from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files.owned import OwnFolder
from ferplus_data.labels import EMOTIONS
from models.networks.build import build_model
from models.recipe import Recipe
from models.serving import export
from models.serving.export.card import write_card
from models.serving.export.exporter import PRECISIONS, Conversion
from models.serving.export.proof import Evidence
from models.serving.export.web import RUNTIME_FILES, VARIABLE
from models.serving.runtimes.keras_archive import classifier_of

ABOUT: dict[str, Any] = {
    "name": "a test", "class_names": list(EMOTIONS), "project": "ferplus-tuner", "version": "0.1.0", "commit": "c" * 40,
    "study": "s", "trial": 3, "hyperparameters": {"backbone": "small", "dropout": 0.3}, "ensemble": None, "data": "tiny",
    "measured_on": "nothing", "demo": False, "precision": "float32", "proof_faces": "40 faces", "weights_licence": "None.",
}  # fmt: skip
SMALLER = [(name, p) for name, e in export.EXPORTERS.items() for p in e.precisions if p != "float32"]


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> keras.Model:
    """With a resize, and trained for a few steps, so that batch statistics and moving statistics differ."""
    keras.utils.set_random_seed(0)
    model = build_model(Recipe(backbone="small_vgg", image_size=32))
    model.compile("adam", "categorical_crossentropy")
    model.fit(tiny.train.pixels(), tiny.train.targets("majority"), batch_size=20, epochs=4, verbose=0)
    return model


@pytest.fixture(scope="module")
def evidence(tiny: Dataset) -> Evidence:
    return Evidence.of(tiny)


@pytest.fixture(scope="module", autouse=True)
def runtime_of_the_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Files in the place of onnxruntime-web's; tests/models/serving/test_web.py has the real ones."""
    folder = tmp_path_factory.mktemp("onnxruntime-web")
    for name in RUNTIME_FILES:
        (folder / name).write_text(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


@pytest.fixture(scope="module")
def exported(model: keras.Model, evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("best") / "export"
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("models.serving.export.speed.SECONDS", 0.01)  # the figures are not looked at
    export.export_model(model, list(export.EXPORTERS), folder, evidence=evidence, about=ABOUT)
    monkeypatch.undo()
    return folder


def front_matter(card: str) -> dict[str, Any]:
    """What Hugging Face reads of a card: the YAML between its first two lines of three dashes."""
    before, between, _ = re.split("^---\n", card, maxsplit=2, flags=re.MULTILINE)
    assert before == ""
    return yaml.safe_load(between)


def proof_of(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / "parity.json").read_text())[name]


@pytest.mark.parametrize("name", export.EXPORTERS)
def test_every_format_computes_what_the_model_does(
    name: str, exported: Path, model: keras.Model, tiny: Dataset
) -> None:
    proof = proof_of(exported, name)
    assert proof["ok"] and proof["max_abs_difference"] <= proof["tolerance"] == 1e-4
    assert proof["faces"] == len(tiny.val)
    measured = {"1", "64"} if export.EXPORTERS[name].measured else set()
    assert set(proof.get("images_per_second", {})) == measured
    classify = export.EXPORTERS[name].open(exported / export.EXPORTERS[name].files[0])
    faces = np.concatenate([tiny.test.pixels(), tiny.train.pixels()])
    expected = model.predict(faces, verbose=0)
    for count in (1, 3, 64, len(faces)):
        found = classify(faces[:count])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:count], atol=1e-4)


def test_sums_card_and_signature_cover_every_file(exported: Path) -> None:
    sums = dict(reversed(line.split("  ")) for line in (exported / "SHA256SUMS").read_text().splitlines())
    files = {
        path.relative_to(exported).as_posix()
        for path in exported.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert set(sums) == files - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest
    signature = json.loads((exported / "signature.json").read_text())
    assert signature["input"]["dtype"] == "uint8" and signature["output"]["class_names"] == list(EMOTIONS)
    fastest = signature["model"]["fastest_on_cpu"]
    proofs = json.loads((exported / "parity.json").read_text())
    assert set(fastest) == {"1", "64"}
    for size, name in fastest.items():
        rates = {
            one: proof["images_per_second"] for one, proof in proofs.items() if "images_per_second" in proof
        }
        assert rates[name][size] == max(rate[size] for rate in rates.values())
    card = (exported / "README.md").read_text()
    assert f"one face at a time: **{fastest['1']}**; batches: **{fastest['64']}**." in card
    for exporter in export.EXPORTERS.values():
        assert exporter.usage.strip() in card and f"`{exporter.files[0]}`" in card
    assert "MIT licence" in card and "Not measured" in card
    front = front_matter(card)
    assert front["pipeline_tag"] == "image-classification" and front["library_name"] == "keras"
    assert front["tags"] == ["facial-expression-recognition", "fer-plus", *export.EXPORTERS]
    assert "model-index" not in front  # nothing was measured
    # Hugging Face: a licence that is other has a name, in small letters, and a link to LICENSE.md beside the card.
    assert front["license"] == "other" and re.fullmatch("[a-z-]+", front["license_name"])
    assert front["license_link"] == "LICENSE.md"
    licences = (exported / "LICENSE.md").read_text()
    assert card.endswith(f"## Licences\n\n{licences}") and "onnxruntime-web" in licences
    speed = proof_of(exported, "onnx")["images_per_second"]
    assert f"| onnx | {1000 / speed['1']:.3g} ms | {speed['64']:.0f} faces a second |" in card


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize(
    "name", ["plain", "a: 'b' #1", 'the "best" <of> {all}, [1] & %', "- no\n---\nyes: \\u0041"]
)
def test_the_front_matter_is_read_whatever_the_model_is_called(name: str, demo: bool, tmp_path: Path) -> None:
    example = {"faces": "", "probabilities": [0.125] * 8}
    figures: dict[str, Any] = {"val_accuracy": 0.5, "n_val": 8, "test_accuracy": 0.25, "n_test": 8}
    figures |= {"asked_for_by_the_user": False, "per_class": {"val": [], "test": []}}
    about = {**ABOUT, "name": name, "demo": demo, "example": example}
    write_card(tmp_path, [], {}, about, figures)
    (model,) = front_matter((tmp_path / "README.md").read_text())["model-index"]
    (result,) = model["results"]
    assert model["name"] == name and result["task"]["type"] == "image-classification"
    assert result["dataset"] == {
        "name": "drawn demo faces" if demo else "FER+",
        "type": "demo" if demo else "ferplus",
        "split": "test",
    }
    assert result["metrics"] == [{"type": "accuracy", "value": 0.25}]


def test_the_example_of_the_card_is_what_every_format_says(exported: Path) -> None:
    example = json.loads((exported / "signature.json").read_text())["model"]["example"]
    faces = eval(example["faces"], {"np": np})
    for exporter in export.EXPORTERS.values():
        found = exporter.open(exported / exporter.files[0])(faces)[0]
        np.testing.assert_allclose(found, example["probabilities"], atol=1e-4)
    shown = " | ".join(f"{p:.4f}" for p in example["probabilities"])
    assert f"| {shown} | " in (exported / "README.md").read_text()


@pytest.mark.parametrize("name", export.EXPORTERS)
def test_the_lines_of_the_card_run(
    name: str, exported: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported)
    scope: dict[str, Any] = {"faces": tiny.val.pixels()[:5]}
    exec(export.EXPORTERS[name].usage, scope)
    assert np.asarray(scope["probabilities"]).shape == (5, len(EMOTIONS))


def test_the_files_say_what_they_are(exported: Path) -> None:
    import onnx
    from ai_edge_litert import schema_py_generated as schema

    proto = onnx.load(exported / "model.onnx")
    properties = {p.key: p.value for p in proto.metadata_props}
    assert json.loads(properties["class_names"]) == list(EMOTIONS) and properties["version"] == "0.1.0"
    # The channel means are constants of the graph, not inputs.
    assert [i.name for i in proto.graph.input] == ["face"] and [o.name for o in proto.graph.output] == [
        "probabilities"
    ]
    with zipfile.ZipFile(exported / "model.keras") as archive:
        assert json.loads(archive.read("metadata.json"))["ferplus_tuner"]["study"] == "s"
    assert json.loads((exported / "saved_model/assets.extra/metadata.json").read_text())["trial"] == 3
    lite = schema.Model.GetRootAs((exported / "model.tflite").read_bytes())
    entries = {lite.Metadata(i).Name(): lite.Metadata(i).Buffer() for i in range(lite.MetadataLength())}
    metadata = json.loads(lite.Buffers(entries[b"ferplus_tuner"]).DataAsNumpy().tobytes())
    assert metadata["class_names"] == list(EMOTIONS)


@pytest.mark.parametrize(("name", "precision"), SMALLER)
def test_a_smaller_precision_is_smaller_and_states_what_it_costs(
    name: str, precision: str, exported: Path, model: keras.Model, evidence: Evidence, tmp_path: Path
) -> None:
    about = {**ABOUT, "precision": precision}
    export.export_model(model, [name], tmp_path, evidence=evidence, about=about, precision=precision)
    proof = proof_of(tmp_path, name)
    assert proof["precision"] == precision and proof["label_agreement"] >= proof["least_label_agreement"]
    assert abs(proof["val_accuracy"] - proof["val_accuracy_float32"]) <= 1 - proof["label_agreement"] + 1e-9
    file = export.EXPORTERS[name].files[0]
    assert size(tmp_path / file) < 0.75 * size(exported / file)
    assert f"{proof['val_accuracy']:.4f}" in (tmp_path / "README.md").read_text()


def wrong(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    other = keras.models.clone_model(model)
    other.set_weights([w + 0.1 * np.sign(w) for w in model.get_weights()])
    export.KERAS.write(other, folder, conversion)


def breaks(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    raise RuntimeError("no such operation")


@pytest.mark.parametrize(("write", "said"), [(wrong, "differs by"), (breaks, "no such operation")])
def test_a_format_that_fails_is_not_left_behind_and_the_others_are(
    write: Any,
    said: str,
    model: keras.Model,
    evidence: Evidence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = dataclasses.replace(export.KERAS, name="failing", write=write, program=None)
    monkeypatch.setitem(export.EXPORTERS, "failing", failing)
    folder = tmp_path / "export"
    earlier = OwnFolder(folder)
    with earlier.filling() as work:
        (work / "model.keras").write_text("of an earlier export")
        earlier.put(work, ["model.keras"])
    (folder / "mine.txt").write_text("not ours")
    with pytest.raises(export.ParityError, match=said):
        export.export_model(model, ["failing", "h5-weights"], folder, evidence=evidence, about=ABOUT)
    assert not (folder / "model.keras").exists() and (folder / "model.weights.h5").exists()
    assert (folder / "mine.txt").read_text() == "not ours"
    assert not proof_of(folder, "failing")["ok"] and proof_of(folder, "h5-weights")["ok"]
    assert [path.name for path in tmp_path.iterdir()] == ["export"] and not list(folder.glob(".filling-*"))


@pytest.mark.parametrize(
    ("formats", "precision", "said"),
    [
        (["caffe"], "float32", "caffe"),
        (["onnx"], "float8", "float8"),
        *[([n], p, n) for n, e in export.EXPORTERS.items() for p in PRECISIONS if p not in e.precisions],
    ],
)
def test_what_there_is_not_is_refused(
    formats: list[str], precision: str, said: str, model: keras.Model, evidence: Evidence, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        export.export_model(model, formats, tmp_path, evidence=evidence, about=ABOUT, precision=precision)
    assert not list(tmp_path.iterdir())


def test_the_composite_that_was_off_is_not(tmp_path: Path) -> None:
    """Bytes in, a resize in the graph, batch normalisation behind it. With ResNet50 at 224 pixels Keras's own ONNX and SavedModel
    exports were 0.57 off, for its Resizing layer, called without `training`, puts what follows into training mode."""
    keras.utils.set_random_seed(0)
    faces = keras.Input((48, 48, 1), dtype="uint8", name="face")
    x = keras.layers.Resizing(64, 64)(keras.layers.Rescaling(1.0)(faces))
    for filters in (8, 16):
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(filters, 3)(x)))
    x = keras.layers.Dense(8, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(faces, x)
    given = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1)).astype(np.uint8)
    expected = classifier_of(model)(given)
    export.ONNX.write(model, tmp_path, Conversion("float32", given, ABOUT))
    found = export.ONNX.open(tmp_path / "model.onnx")(given)
    assert np.abs(found - expected).max() <= 1e-4
    # Last, for it also moves the model's statistics.
    unsaid = keras.ops.convert_to_numpy(model(given))
    assert np.abs(unsaid - expected).max() > 0.1, "the cause is gone from Keras"


@pytest.mark.parametrize("size", [48, 32])
def test_our_models_need_no_word_about_training(size: int, tiny: Dataset) -> None:
    model = build_model(Recipe(backbone="small_vgg", image_size=size))
    faces = tiny.val.pixels()
    said, unsaid = model(faces, training=False), model(faces)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(unsaid), keras.ops.convert_to_numpy(said), atol=1e-6
    )
    # and in training the layers after the resize are in training
    trained = keras.ops.convert_to_numpy(model(faces, training=True))
    assert np.abs(trained - keras.ops.convert_to_numpy(said)).max() > 1e-3
