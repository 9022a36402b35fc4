"""A Keras model as the one TensorFlow function that the converters start from."""

from __future__ import annotations

from typing import Any

import keras

from ferplus_data.errors import InputError

INPUT, OUTPUT = "face", "probabilities"


def serving_function(model: keras.Model) -> Any:
    """Return the tf.function uint8 face [B, 48, 48, 1] -> {"probabilities": float32 [B, 8]} of `model` in inference mode.

    `training=False` is not the default everywhere: a Resizing layer that is called without it puts every layer after it into
    training mode, so that batch normalisation takes the batch's own statistics. `model.export` leaves it out.

    Raises:
        InputError: Keras computes with another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "--format: onnx, web, saved_model and litert are converted by TensorFlow, found "
            f"KERAS_BACKEND={keras.backend.backend()}; use KERAS_BACKEND=tensorflow, the .keras file is the same"
        )
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.uint8, name=INPUT)])
    def serve(face: Any) -> dict[str, Any]:
        return {OUTPUT: model(face, training=False)}

    return serve
