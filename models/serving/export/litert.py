"""One .tflite file, for LiteRT on phones and small machines."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.device.quiet import quietly
from models.serving.export.exporter import Conversion, Exporter
from models.serving.export.saved_model import write_saved_model
from models.serving.export.serving import INPUT, OUTPUT
from models.serving.runtimes import litert

METADATA_NAME = "ferplus_tuner"

_USAGE = f"""
from ai_edge_litert.interpreter import Interpreter
run = Interpreter("model.tflite").get_signature_runner()
probabilities = run({INPUT}=faces)["{OUTPUT}"]
"""


def _write(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as temporary:
        write_saved_model(model, Path(temporary) / "saved_model")
        with quietly():
            converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(temporary) / "saved_model"))
            # LiteRT's own operations alone: TensorFlow's would need its library beside the interpreter.
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            if conversion.precision == "float16":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.target_spec.supported_types = [tf.float16]
            elif conversion.precision == "int8":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: _calibration(conversion)
            content = converter.convert()
    (folder / "model.tflite").write_bytes(_with_metadata(content, conversion.metadata))


def _calibration(conversion: Conversion) -> Iterator[list[np.ndarray]]:
    for face in conversion.calibration:
        yield [face[None]]


def _with_metadata(content: bytes, metadata: dict[str, Any]) -> bytes:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


LITERT = Exporter(
    name="litert",
    files=("model.tflite",),
    write=_write,
    open=litert.open_classifier,
    runtime="LiteRT",
    usage=_USAGE,
    metadata=f"the metadata buffer named {METADATA_NAME}, as JSON",
    precisions=("float32", "float16", "int8"),
)
