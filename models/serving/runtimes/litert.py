""".tflite models, in LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferplus_data.cores import cores
from models.device.quiet import quietly
from models.serving.classifier import Classifier, check_ends, check_shapes, in_batches, unreadable


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in the .tflite file `path`. It is resized to each new number of faces.

    Raises:
        InputError: It does not load, or is no model of faces.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quietly():
            interpreter = Interpreter(model_content=path.read_bytes(), num_threads=cores())
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    except Exception as error:  # ValueError and RuntimeError, by the kind of damage
        raise unreadable(path, ".tflite model", error) from error
    check_ends(path, [end["name"] for end in inputs], [end["name"] for end in outputs])
    (given,), (taken,) = inputs, outputs
    # The batch is -1 or what it was converted with, and can be resized in both cases.
    shape_in, shape_out = (["any", *end["shape_signature"].tolist()[1:]] for end in (given, taken))
    check_shapes(path, shape_in, shape_out, given["dtype"].__name__)
    allocated = 0

    def run(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal allocated
        if len(faces) != allocated:
            interpreter.resize_tensor_input(given["index"], faces.shape)
            with quietly():
                interpreter.allocate_tensors()
            allocated = len(faces)
        interpreter.set_tensor(given["index"], faces)
        interpreter.invoke()
        return interpreter.get_tensor(taken["index"])

    return in_batches(run, path)
