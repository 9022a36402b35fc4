"""SavedModel folders, in TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.errors import InputError
from models.serving.runtimes.classifier import Classifier, check_shapes, in_batches, unreadable

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
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures["serving_default"]
    except Exception as error:  # whatever TensorFlow makes of a damaged folder
        raise unreadable(path, "SavedModel", error) from error
    _refuse(path, serve.graph.as_graph_def(), _REACHES_OUT | _SAVES)
    (name, given), *others = serve.structured_input_signature[1].items()
    taken = list(serve.structured_outputs.values())
    if others or len(taken) != 1:
        raise InputError(f"checkpoint {path}: expected one input and one output of serving_default")
    check_shapes(path, given.shape.as_list(), taken[0].shape.as_list(), given.dtype.name)

    def run(faces: np.ndarray) -> np.ndarray:
        # `loaded` has to live as long as its function, which holds its variables by weak references only.
        assert loaded is not None
        (probabilities,) = serve(**{name: tf.constant(faces)}).values()
        return probabilities.numpy()

    return in_batches(run)


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
