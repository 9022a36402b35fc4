"""The network of each backbone, built once for all tests that look at it: the large ones take seconds."""

from __future__ import annotations

import functools

import keras

from models.networks.build import build_model
from models.recipe import Recipe


@functools.cache
def whole_network(backbone: str) -> keras.Model:
    """Return the untrained network of `backbone` at 48 pixels, all layers trainable. It is to be left as it is."""
    keras.utils.set_random_seed(0)
    return build_model(Recipe(backbone=backbone, image_size=48))
