"""signature.json: how the exported files are called, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferplus_data.labels import EMOTIONS
from models.serving.export.exporter import Exporter
from models.serving.export.serving import INPUT, OUTPUT


def signature(exporters: Sequence[Exporter], about: dict[str, Any]) -> dict[str, Any]:
    """Return the input, the output and the files of `exporters`, with what is known `about` the model."""
    return {
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["batch", 48, 48, 1],
            "range": [0, 255],
            "meaning": "grey pictures of one face each, cropped as FER+ crops them; preprocessing is inside the model",
        },
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": ["batch", len(EMOTIONS)],
            "range": [0, 1],
            "class_names": list(EMOTIONS),
        },
        "formats": {
            exporter.name: {
                "files": list(exporter.files),
                "runtime": exporter.runtime,
                "metadata_in": exporter.metadata,
            }
            for exporter in exporters
        },
        "model": about,
    }
