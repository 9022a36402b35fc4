"""The frozen prefix of a network: where it ends, and the two models that the cut makes."""

from __future__ import annotations

import hashlib
import json

import keras
import numpy as np

from models.backbones.registry import block_boundaries


def cut_positions(model: keras.Model) -> list[int]:
    """Return the positions in `model.layers`, ascending, of the layers after which the network can be cut: the block boundaries
    and avg_pool, the points at which one tensor holds all that the rest needs.

    Args:
        model: Of `models.networks.build.build_model`.
    """
    count = len(model.layers)
    pooled = [layer.name for layer in model.layers].index("avg_pool")
    return [*(count + boundary for boundary in block_boundaries(model)), pooled]


def cut_position(model: keras.Model, freeze_before: int) -> int | None:
    """Return the position of the last layer of the frozen prefix, or None if there is none: the last of `cut_positions` at or
    before the freeze index (0, or -k as `models.networks.freezing.freeze` takes it)."""
    if freeze_before == 0:
        return None
    first_trainable = len(model.layers) + freeze_before
    return max((position for position in cut_positions(model) if position <= first_trainable), default=None)


def split_model(model: keras.Model, position: int) -> tuple[keras.Model, keras.Model]:
    """Return the models before and after the output of `model.layers[position]`. They share the layers of `model`.

    Returns:
        (uint8 [B, 48, 48, 1] -> activations [B, h, w, C], activations -> probabilities [B, 8])
    """
    activations = model.layers[position].output
    prefix = keras.Model(model.inputs, activations, name=f"{model.name}_prefix")
    return prefix, keras.Model(activations, model.outputs, name=f"{model.name}_suffix")


def fingerprints(model: keras.Model, last: int) -> dict[int, str]:
    """Return, for each of `cut_positions` up to `last`, the sha256 (hex) of what the prefix that ends there computes: its layers,
    their settings and precision, and their weights."""
    # A layer's name may be numbered by what was built before it. The model's says which backbone it is, and so how the layers
    # are connected.
    digest = hashlib.sha256(model.name.encode())
    found = {}
    for position, layer in enumerate(model.layers[: last + 1]):
        config = {key: value for key, value in layer.get_config().items() if key not in ("name", "trainable")}
        digest.update(json.dumps([type(layer).__name__, config], sort_keys=True, default=str).encode())
        for weight in layer.weights:
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
        if position in cut_positions(model):
            found[position] = digest.hexdigest()
    return found
