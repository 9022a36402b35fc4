"""SavedModel folders, in TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.errors import InputError
from models.runtimes.classifier import Classifier, check_shapes, in_batches, unreadable

_REACHES_OUT = {
    "PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "FixedLengthRecordReaderV2",
    "TextLineReaderV2", "WholeFileReaderV2", "TFRecordReaderV2", "DebugIdentityV2", "DebugIdentityV3", "DumpTensor",
}  # fmt: skip
"""TensorFlow operations that call Python or touch files; its own saving and restoring are not among them."""


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
    found = {
        node.op
        for meta in graph.meta_graphs
        for nodes in (meta.graph_def.node, *(f.node_def for f in meta.graph_def.library.function))
        for node in nodes
    }
    if reaching := sorted(found & _REACHES_OUT):
        raise InputError(
            f"checkpoint {path}: holds {', '.join(reaching)}, which run code or touch files; refused"
        )
