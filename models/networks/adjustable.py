"""Numbers that a compiled step reads anew in every call: the optimizer's, and dropout's rate. Another value of one is then no
reason to compile the step again."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from models.optimization.optimizers import ADJUSTABLE
from models.recipe import Recipe

BACKENDS = ("tensorflow", "jax")
"""Backends that compile a step. Elsewhere every recipe is built anew."""
_ONE = 2.0**32  # of a rate that is held as a whole number


def is_adjustable() -> bool:
    """Whether Keras's backend compiles steps with numbers that can be set."""
    return keras.backend.backend() in BACKENDS


def make_adjustable(optimizer: keras.optimizers.Optimizer, recipe: Recipe) -> dict[str, Any]:
    """Put variables in the place of those numbers of the recipe's optimizer that it can be given anew; return them by name."""
    variables = {
        name: _variable(getattr(optimizer, name))
        for name in adjustable_names(recipe)
        if getattr(optimizer, name, None) is not None
    }
    for name, variable in variables.items():
        setattr(optimizer, name, variable)
    return variables


def set_ema_momentum(optimizer: keras.optimizers.Optimizer, momentum: float) -> None:
    """Have the averages of the weights keep `momentum` of themselves in every step."""
    if not is_adjustable():
        optimizer.ema_momentum = momentum
        return
    if isinstance(optimizer.ema_momentum, float):
        optimizer.ema_momentum = _variable(momentum)
    optimizer.ema_momentum.assign(momentum)


def adjustable_names(recipe: Recipe) -> Iterable[str]:
    """Return the fields of the recipe that its optimizer is given anew, or never asks for."""
    return ADJUSTABLE.get(recipe.optimizer, ())


def _variable(value: float) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.Variable(value, dtype="float32", trainable=False)
    # One of Keras's, which the optimizer takes for its own: JAX's steps are given nothing else.
    return keras.Variable(value, dtype="float32", trainable=False)


class _Rate(keras.random.SeedGenerator):
    """A share of one, 0 to below 1, kept as a random state: Keras gives those to a compiled step and does not count them among
    the weights of a model."""

    def assign(self, rate: float) -> None:
        self.state.assign(np.array([round(rate * _ONE), 0]).astype(self.state.dtype))

    def __call__(self) -> Any:
        return keras.ops.cast(self.state[0], "float32") / _ONE


class _RateVariable:
    """The same as a variable of TensorFlow's, which Keras does not look after."""

    def __init__(self) -> None:
        self._variable = _variable(0.0)

    def assign(self, rate: float) -> None:
        self._variable.assign(rate)

    def __call__(self) -> Any:
        return keras.ops.convert_to_tensor(self._variable)


@functools.cache
def dropout_layer() -> type[keras.layers.Layer]:
    """Return the class of dropout layers that networks are trained with: adjustable where the backend allows it."""
    if not is_adjustable():
        return keras.layers.Dropout

    class AdjustableDropout(keras.layers.Layer):
        """Dropout whose `adjustable_rate` can be assigned. For training only: a model to be saved has Keras's own, which takes
        no state beside its own."""

        rate = 0.5
        """That it has a random state, as Keras's own has above 0."""

        def __init__(self, rate: float, **options: Any) -> None:
            super().__init__(**options)
            self.seed_generator = keras.random.SeedGenerator()
            self.adjustable_rate = _RateVariable() if keras.backend.backend() == "tensorflow" else _Rate(0)
            self.adjustable_rate.assign(rate)

        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training:
                return inputs
            rate = self.adjustable_rate()
            kept = keras.random.uniform(keras.ops.shape(inputs), seed=self.seed_generator) >= rate
            return keras.ops.where(kept, inputs / (1 - keras.ops.cast(rate, inputs.dtype)), 0)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    return AdjustableDropout
