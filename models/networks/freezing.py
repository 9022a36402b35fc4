"""Freezing the first layers of a network, counted as the baseline counts them: from the end."""

from __future__ import annotations

from typing import Any

from ferplus_data.errors import InputError


def freeze(model: Any, freeze_before: int) -> None:
    """Freeze every layer before `model.layers[freeze_before]`, and unfreeze the others.

    A frozen layer's weights stay as they are; a frozen BatchNormalization also runs in inference mode, so its
    moving statistics stay too. Call it before `model.compile`: a train step already traced keeps its own list
    of weights.

    Args:
        model: a keras.Model whose layers include the head, as the listings of the baseline do.
        freeze_before: 0 freezes none, -k all layers but the last k (the baseline: ResNet50 -51, SENet50 -39).

    Raises:
        InputError: for a positive index, or one beyond the first layer.
    """
    count = len(model.layers)
    if (
        isinstance(freeze_before, bool)
        or not isinstance(freeze_before, int)
        or not -count <= freeze_before <= 0
    ):
        raise InputError(
            f"freeze index: expected 0 (freeze none) or a negative whole number down to -{count}, for the "
            f"{count} layers of {model.name}, found {freeze_before!r}; take one of the backbone's choices"
        )
    first_trainable = count + freeze_before if freeze_before else 0
    for position, layer in enumerate(model.layers):
        layer.trainable = position >= first_trainable
