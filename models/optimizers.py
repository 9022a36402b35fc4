"""Optimizers by name. Adding one is a function here and a line in OPTIMIZERS."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from models.recipe import Recipe

ADJUSTABLE = ("beta_1", "weight_decay")
"""Numbers of an optimizer that a compiled training step can be given anew (`models.network`)."""


def _adam(recipe: Recipe) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(recipe.learning_rate, beta_1=recipe.beta_1, weight_decay=recipe.weight_decay)


def _adamw(recipe: Recipe) -> keras.optimizers.Optimizer:
    return keras.optimizers.AdamW(
        recipe.learning_rate, beta_1=recipe.beta_1, weight_decay=recipe.weight_decay
    )


def _sgd(recipe: Recipe) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(
        recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
    )


OPTIMIZERS: dict[str, Callable[[Recipe], keras.optimizers.Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "sgd": _sgd,
}


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer. Weight decay is decoupled (Loshchilov & Hutter 2019) and spares the biases and
    the batch normalisation's gamma and beta."""
    optimizer = OPTIMIZERS[recipe.optimizer](recipe)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
