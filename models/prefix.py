"""The frozen prefix of a network: where it ends, and the two models that the cut makes."""

from __future__ import annotations

import hashlib
import json

import keras
import numpy as np

from models.backbones import block_boundaries


def cut_position(model: keras.Model, freeze_before: int) -> int | None:
    """Return the position in `model.layers` of the last layer of the frozen prefix, or None if there is none.

    It is the last block boundary at or before the freeze index (or avg_pool, for the head alone): the points at which one tensor
    holds all that the rest of the network needs.

    Args:
        model: Of `models.build.build_model`.
        freeze_before: 0, or -k as `models.freezing.freeze` takes it.
    """
    if freeze_before == 0:
        return None
    count = len(model.layers)
    pooled = [layer.name for layer in model.layers].index("avg_pool") - count
    frozen = [boundary for boundary in (*block_boundaries(model), pooled) if boundary <= freeze_before]
    return count + max(frozen) if frozen else None


def split_model(model: keras.Model, position: int) -> tuple[keras.Model, keras.Model]:
    """Return the models before and after the output of `model.layers[position]`. They share the layers of `model`.

    Returns:
        (uint8 [B, 48, 48, 1] -> activations [B, h, w, C], activations -> probabilities [B, 8])
    """
    activations = model.layers[position].output
    prefix = keras.Model(model.inputs, activations, name=f"{model.name}_prefix")
    return prefix, keras.Model(activations, model.outputs, name=f"{model.name}_suffix")


def fingerprint(prefix: keras.Model) -> str:
    """Return the sha256 (hex) of what the prefix computes: its layers, their settings and precision, and its weights."""
    settings = [
        {key: value for key, value in layer.get_config().items() if key != "trainable"}
        for layer in prefix.layers
    ]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for weight in prefix.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()
