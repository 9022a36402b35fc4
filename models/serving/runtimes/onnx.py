""".onnx models, in onnxruntime."""

from __future__ import annotations

from pathlib import Path

from ferplus_data.errors import InputError
from models.serving.classifier import Classifier, check_ends, check_shapes, in_batches, unreadable


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in the .onnx file `path`.

    Raises:
        InputError: It does not load, keeps its weights in other files, or is no model of faces.
    """
    import onnx
    import onnxruntime

    try:
        content = path.read_bytes()
        proto = onnx.load_model_from_string(content)
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in proto.graph.initializer):
            raise InputError(
                f"checkpoint {path}: expected the weights in the file, found names of other files, which are not followed; "
                "save it as one file"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised as well
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except InputError:
        raise
    except Exception as error:  # protobuf and onnxruntime have an exception for every damage
        raise unreadable(path, ".onnx model", error) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    check_ends(path, [end.name for end in inputs], [end.name for end in outputs])
    dtype = inputs[0].type.removeprefix("tensor(").removesuffix(")")
    check_shapes(path, inputs[0].shape or [], outputs[0].shape or [], dtype)
    return in_batches(lambda faces: session.run(None, {inputs[0].name: faces})[0], path)
