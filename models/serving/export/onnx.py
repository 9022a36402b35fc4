"""One .onnx file, for onnxruntime and everything that reads ONNX."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.device.quiet import quietly
from models.serving.export.exporter import Conversion, Exporter
from models.serving.export.serving import INPUT, OUTPUT, serving_function
from models.serving.runtimes import onnx as runtime

OPSET = 15
"""tf2onnx's own choice, in which every operation here exists; onnxruntime reads it since 1.10."""

_USAGE = f"""
import onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
(probabilities,) = session.run(["{OUTPUT}"], {{"{INPUT}": faces}})
"""


def _write(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    import onnx

    with quietly():
        proto = _converted(model)
        if conversion.precision == "float16":
            proto = _in_half_precision(proto)
        elif conversion.precision == "int8":
            proto = _quantized(proto, conversion)
    onnx.helper.set_model_props(
        proto,
        {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in conversion.metadata.items()
        },
    )
    (folder / "model.onnx").write_bytes(proto.SerializeToString())


def _converted(model: keras.Model) -> Any:
    import tf2onnx
    from tf2onnx import tf_loader

    for name in ("tensorflow", "tf2onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    function = serving_function(model).get_concrete_function()
    given, taken = f"{INPUT}:0", function.outputs[0].name
    # Not by tf2onnx.convert.from_function, which turns constants that the graph captures (the channel means) into inputs.
    frozen = tf_loader.from_function(function, [given], [taken])
    proto, _ = tf2onnx.convert.from_graph_def(
        frozen,
        name=model.name,
        input_names=[given],
        output_names=[taken],
        tensors_to_rename={given: INPUT, taken: OUTPUT},
        opset=OPSET,
    )
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return proto


def _in_half_precision(proto: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # The resize stays in float32: its scales are constants of that type.
    return convert_float_to_float16(proto, keep_io_types=True, op_block_list=["Resize", "Cast"])


def _quantized(proto: Any, conversion: Conversion) -> Any:
    import onnx
    from onnxruntime import quantization

    class Faces(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._batches: Iterator[np.ndarray] = iter(np.array_split(conversion.calibration, 8))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch}

    with tempfile.TemporaryDirectory() as folder:
        source, folded, target = (str(Path(folder) / f"{name}.onnx") for name in ("source", "folded", "int8"))
        onnx.save(proto, source)
        quantization.quant_pre_process(source, folded, skip_symbolic_shape=True)
        # Weights of 7 bits: CPUs without VNNI add two 8-bit products in 16 bits, which overflow and saturate.
        quantization.quantize_static(
            folded,
            target,
            Faces(),
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
            op_types_to_quantize=["Conv"],
            reduce_range=True,
        )
        return onnx.load(target)


ONNX = Exporter(
    name="onnx",
    files=("model.onnx",),
    write=_write,
    open=runtime.open_classifier,
    runtime="onnxruntime",
    usage=_USAGE,
    metadata="metadata_props of the model",
    precisions=("float32", "float16", "int8"),
)
