"""Optimizers by name. Adding one is a function here and a line in OPTIMIZERS. A keyword-only parameter that it takes besides the
recipe is a hyperparameter of its own (`models.hyperparameters`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from models.recipe import Recipe


def _adam(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Adam without weight decay, as the baseline trains."""
    return keras.optimizers.Adam(recipe.learning_rate, beta_1=recipe.beta_1)


def _adamw(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    return keras.optimizers.AdamW(
        recipe.learning_rate, beta_1=recipe.beta_1, weight_decay=recipe.weight_decay
    )


def _sgd(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Stochastic gradient descent with Nesterov's momentum and decoupled weight decay."""
    return keras.optimizers.SGD(
        recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
    )


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "sgd": _sgd,
}
"""Optimizer by name: a recipe, and its own parameters by name -> a new optimizer."""

ADJUSTABLE: dict[str, tuple[str, ...]] = {
    "adam": ("beta_1", "momentum", "weight_decay"),
    "adamw": ("beta_1", "momentum", "weight_decay"),
    # Keras asks for a momentum of 0 while it traces, so that one has to stay a number.
    "sgd": ("beta_1", "weight_decay"),
}
"""Fields of a recipe that a compiled step of the optimizer is given anew, or never asks for. For an optimizer that is not here
the step is compiled anew with every value of its numbers, which is always right."""


@functools.cache
def _without_all_reduce(optimizer: Any) -> Any:
    """Return the class `optimizer` without the sum of the gradients over all replicas where there is one replica. For its
    gradient TensorFlow keeps the graph of every network ever trained, in a table that never shrinks: 13 MB a small one."""
    import tensorflow as tf

    class Local(optimizer):
        # Private, Keras 3.15: of the public methods `apply` comes before the sum and `update_step` after it.
        def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
            if tf.distribute.get_strategy().num_replicas_in_sync > 1:
                return super()._all_reduce_sum_gradients(grads_and_vars)
            return list(grads_and_vars)

    Local.__name__ = optimizer.__name__
    return Local


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer, which keeps averages of the weights if the recipe asks for them.

    Weight decay is decoupled (Loshchilov & Hutter 2019) and spares the biases and the batch normalisation's gamma and beta.
    """
    optimizer = OPTIMIZERS[recipe.optimizer](recipe, **recipe.optimizer_parameters)
    kind: Any = type(optimizer)
    if keras.backend.backend() == "tensorflow":
        kind = _without_all_reduce(kind)
    optimizer = kind.from_config({**optimizer.get_config(), "use_ema": recipe.ema_fraction > 0})
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
