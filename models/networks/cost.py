"""What a recipe's network costs, told without training it: parameters, and the time of one face."""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from models.hyperparameters import Acts
from models.networks.build import build_model
from models.recipe import Recipe

_WARM_UP, _ROUNDS = 3, 20
"""Predictions before those that are timed, the first of which trace the graph; and those that are timed."""


def shape_of(recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """Return what the recipes whose networks cost the same have in common: the fields that act on the graph."""
    values = recipe.key(harmless=set(Acts) - {Acts.GRAPH})
    return tuple((name, repr(value)) for name, value in sorted(values.items()))


def parameters(recipe: Recipe) -> int:
    """Return how many numbers the network holds, its moving statistics among them."""
    return build_model(recipe).count_params()


def latency(recipe: Recipe) -> float:
    """Return the milliseconds from one face (uint8 [1, 48, 48, 1]) to its probabilities, by `predict_on_batch` in float32 on this
    machine as busy as it is: the median of 20 after 3 that do not count."""
    model, face = build_model(recipe), np.zeros((1, 48, 48, 1), np.uint8)
    seconds = []
    for _ in range(_WARM_UP + _ROUNDS):
        began = time.perf_counter()
        model.predict_on_batch(face)
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds[_WARM_UP:])
