"""Weights alone, with the architecture as JSON beside them: for code of one's own."""

from __future__ import annotations

from pathlib import Path

import keras

from models.serving.classifier import Classifier
from models.serving.export.exporter import Conversion, Exporter
from models.serving.runtimes.keras_archive import classifier_of

_WEIGHTS, _ARCHITECTURE = "model.weights.h5", "architecture.json"

_USAGE = """
import keras, pathlib
model = keras.models.model_from_json(pathlib.Path("architecture.json").read_text())
model.load_weights("model.weights.h5")
probabilities = model.predict(faces)
"""


def _write(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    model.save_weights(folder / _WEIGHTS)
    (folder / _ARCHITECTURE).write_text(model.to_json(), encoding="utf-8")


def _open(path: Path) -> Classifier:
    model = keras.models.model_from_json(path.with_name(_ARCHITECTURE).read_text(encoding="utf-8"))
    model.load_weights(path)
    return classifier_of(model)


H5_WEIGHTS = Exporter(
    name="h5-weights",
    files=(_WEIGHTS, _ARCHITECTURE),
    write=_write,
    open=_open,
    runtime="Keras",
    usage=_USAGE,
    metadata="none in the files; signature.json beside them",
)
