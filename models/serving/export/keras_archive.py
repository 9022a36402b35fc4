"""One .keras file, with the metadata beside Keras's own in the archive's metadata.json, which loading does not read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras

from ferplus_data.files import writing
from models.serving.export.exporter import Conversion, Exporter
from models.serving.model_files import save_model
from models.serving.runtimes import keras_archive

_PROGRAM = """
import sys, numpy, keras
model = keras.saving.load_model(sys.argv[1], compile=False)
faces = numpy.load(sys.argv[2])
parts = [model.predict(faces, batch_size=64, verbose=0), model.predict(faces[:1], verbose=0), model.predict(faces[:3], verbose=0)]
numpy.save(sys.argv[3], numpy.concatenate(parts))
"""

_USAGE = """
import keras
model = keras.saving.load_model("model.keras", compile=False)
probabilities = model.predict(faces)
"""


def _write(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    path = save_model(model, folder / "model.keras")
    with writing(path) as temporary, zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "metadata.json":
                content = json.dumps({**json.loads(content), "ferplus_tuner": conversion.metadata}).encode()
            new.writestr(member, content)


KERAS = Exporter(
    name="keras",
    files=("model.keras",),
    write=_write,
    open=keras_archive.open_classifier,
    runtime="Keras",
    usage=_USAGE,
    metadata="metadata.json in the archive, under ferplus_tuner",
    program=_PROGRAM,
)
