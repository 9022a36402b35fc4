"""SavedModel folders, in TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.errors import InputError
from models.serving.classifier import Classifier, check_ends, check_shapes, in_batches, unreadable
from models.serving.runtimes.tensorflow_paths import readable_by_tensorflow

_REACHES_OUT = {
    "PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "FixedLengthRecordReaderV2",
    "TextLineReaderV2", "WholeFileReaderV2", "TFRecordReaderV2", "DebugIdentityV2", "DebugIdentityV3", "DumpTensor",
}  # fmt: skip
"""TensorFlow operations that call Python or touch files."""

_SAVES = {"Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice", "MergeV2Checkpoints"}
"""Operations that every SavedModel holds to save and restore itself, and that have no place in what it computes."""


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in the SavedModel folder `path`, its signature serving_default.

    Raises:
        InputError: It is no SavedModel, damaged, reaches out of its graph, or is no model of faces.
    """
    import tensorflow as tf

    _refuse_reaching_out(path)
    try:
        with readable_by_tensorflow(path) as place:
            loaded = tf.saved_model.load(str(place))
    except InputError:
        raise
    except Exception as error:  # whatever TensorFlow makes of a damaged folder
        raise unreadable(path, "SavedModel", error) from error
    serve = loaded.signatures.get("serving_default")
    if serve is None:
        raise InputError(
            f"checkpoint {path}: expected the signature serving_default, found {', '.join(loaded.signatures) or 'none'}"
        )
    _refuse(path, serve.graph.as_graph_def(), _REACHES_OUT | _SAVES)
    inputs, outputs = serve.structured_input_signature[1], serve.structured_outputs
    check_ends(path, list(inputs), list(outputs))
    ((name, given),), (taken,) = inputs.items(), outputs.values()
    check_shapes(path, _shape(given), _shape(taken), given.dtype.name)

    def run(faces: np.ndarray) -> np.ndarray:
        # `loaded` has to live as long as its function, which holds its variables by weak references only.
        assert loaded is not None
        (probabilities,) = serve(**{name: tf.constant(faces)}).values()
        return probabilities.numpy()

    return in_batches(run, path)


def _shape(end: Any) -> list[int | None]:
    return end.shape.as_list() if end.shape.rank is not None else []


def _refuse_reaching_out(path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    graph: Any = saved_model_pb2.SavedModel()
    try:
        graph.ParseFromString((path / "saved_model.pb").read_bytes())
    except Exception as error:  # no such file, or protobuf's DecodeError
        raise unreadable(path, "SavedModel (a folder with saved_model.pb)", error) from error
    for meta in graph.meta_graphs:
        _refuse(path, meta.graph_def, _REACHES_OUT)


def _refuse(path: Path, graph: Any, operations: set[str]) -> None:
    """Raise InputError if one of `operations` is in `graph`, a GraphDef, or in the functions it calls."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    if reaching := sorted({node.op for node in nodes} & operations):
        raise InputError(
            f"checkpoint {path}: holds {', '.join(reaching)}, which run code or touch files; refused"
        )
