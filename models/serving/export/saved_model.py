"""A TensorFlow SavedModel folder, for TensorFlow Serving and everything that reads one."""

from __future__ import annotations

import json
from pathlib import Path

import keras

from models.device.quiet import quietly
from models.serving.export.exporter import Conversion, Exporter
from models.serving.export.serving import INPUT, OUTPUT, serving_function
from models.serving.runtimes import saved_model
from models.serving.runtimes.tensorflow_paths import writable_by_tensorflow

_USAGE = f"""
import tensorflow as tf
model = tf.saved_model.load("saved_model")
probabilities = model.signatures["serving_default"]({INPUT}=tf.constant(faces))["{OUTPUT}"]
"""


def write_saved_model(model: keras.Model, folder: Path) -> None:
    """Write `model` as the SavedModel `folder`, which must not exist, with the signature serving_default."""
    serve = serving_function(model)
    with quietly():
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serve", serve)
        with writable_by_tensorflow(folder) as place:
            archive.write_out(str(place), verbose=False)


def _write(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    write_saved_model(model, folder / "saved_model")
    extra = folder / "saved_model" / "assets.extra"  # TensorFlow's own place for what it should leave alone
    extra.mkdir()
    (extra / "metadata.json").write_text(json.dumps(conversion.metadata, indent=2) + "\n", encoding="utf-8")


SAVED_MODEL = Exporter(
    name="saved_model",
    files=("saved_model",),
    write=_write,
    open=saved_model.open_classifier,
    runtime="TensorFlow",
    usage=_USAGE,
    metadata="assets.extra/metadata.json in the folder",
)
