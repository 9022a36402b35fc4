"""A compiled network, kept between trials: what does not change the graph's shape is a variable in it, not a reason to trace
it again."""

from __future__ import annotations

import functools
import gc
import json
import math
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from models.device.setup import has_gpu
from models.hyperparameters import Acts
from models.networks.adjustable import (
    adjustable_names,
    dropout_layer,
    is_adjustable,
    make_adjustable,
    set_ema_momentum,
)
from models.networks.build import build_model, compile_model
from models.networks.split import cut_position, fingerprints, split_model
from models.optimization.optimizers import make_optimizer
from models.recipe import Recipe

KEPT = 4
"""Networks that a process keeps compiled. One of ResNet50 with Adam's state is 300 MB."""
# Keras spends a few ms on a step beside the device, so steps far shorter are fused, up to this. Orders of magnitude will do.
_FUSED_SECONDS = 0.02
_FLOPS = {False: 5e10, True: 5e12}


class Network:
    """The model of a recipe, compiled, whole and divided at its frozen prefix.

    Args:
        recipe: What to build and compile.
        weights: As `models.networks.build.build_model` takes them.
        seed: Of the initial weights.
        precision: Name in `models.device.precision.PRECISIONS`.

    Attributes:
        model: The whole network, uint8 [B, 48, 48, 1] -> float32 [B, 8].
        prefix: uint8 [B, 48, 48, 1] -> activations at the cut; None if nothing is frozen up to a cut.
        suffix: Activations -> float32 [B, 8], with the same optimizer as the model; the model itself without a prefix. Its
            weights and optimizer are all that a training changes.
        scorer, suffix_scorer: The model and the suffix for inference alone, not compiled.
    """

    def __init__(self, recipe: Recipe, *, weights: str, seed: int, precision: str) -> None:
        self._seed = seed
        self._new_model = functools.partial(_seeded_model, recipe, weights, precision)
        self.model = self._new_model(seed)
        self._optimizer = make_optimizer(recipe)
        self._adjustable = make_adjustable(self._optimizer, recipe) if is_adjustable() else {}
        if recipe.ema_fraction:
            set_ema_momentum(self._optimizer, 0.0)
        self._cut = cut_position(self.model, recipe.freeze_before)
        self._parts: dict[int, keras.Model] = {}
        self.prefix: keras.Model | None = None
        self.suffix = self.model
        compile_model(self.model, self._optimizer)
        if self._cut is not None:
            self.prefix, self.suffix = split_model(self.model, self._cut)
            # model.optimizer: compile may have wrapped it to scale the loss
            compile_model(self.suffix, self.model.optimizer)
        # Keras traces `predict` anew for every number of steps that a compiled model runs as one.
        self.scorer, self.suffix_scorer = (
            keras.Model(one.inputs, one.outputs) for one in (self.model, self.suffix)
        )
        self.optimizer = self.model.optimizer
        self.optimizer.build(self.suffix.trainable_variables)
        # What a training leaves behind: everything but the frozen prefix.
        self._state = [*self.suffix.variables, *self.optimizer.variables]
        self._initial = _values(self._state)

    def initialise(self, seed: int) -> None:
        """Have the initial weights be those of `seed`."""
        if seed == self._seed:
            return
        self._reset()
        self.model.set_weights(self._new_model(seed).get_weights())
        self._initial = _values(self._state)
        self.__dict__.pop("fingerprints", None)
        self._seed = seed
        gc.collect()  # the model that was only initialised

    def _reset(self) -> None:
        for variable, value in zip(self._state, self._initial, strict=True):
            variable.assign(value)

    def begin(self, recipe: Recipe, *, fuse: int = 1, steps: int = 1) -> None:
        """Set weights and optimizer back to their beginning and take over the recipe's dropout and optimizer settings.

        Args:
            recipe: One that this network serves.
            fuse: Steps that may be run as one call, where they are short.
            steps: Of the whole training.
        """
        self._reset()
        for name, variable in self._adjustable.items():
            variable.assign(getattr(recipe, name))
        if is_adjustable():
            self.dropout.adjustable_rate.assign(recipe.dropout)
        if recipe.ema_fraction:
            set_ema_momentum(self._optimizer, 1 - 1 / max(recipe.ema_fraction * steps, 1))
        for model in (self.model, self.suffix):
            affordable = _FUSED_SECONDS * _FLOPS[has_gpu()] / (6 * multiply_adds(model) * recipe.batch_size)
            fused = max(n for n in range(1, fuse + 1) if fuse % n == 0 and n <= max(1, affordable))
            if model.steps_per_execution != fused:
                model.steps_per_execution = fused
                model.train_function = None

    @property
    def parameters(self) -> int:
        """Numbers that a saved model holds: its weights, and the moving statistics and means."""
        return self.model.count_params()

    @property
    def dropout(self) -> Any:
        return self.model.get_layer("dropout_layer")

    @functools.cached_property
    def fingerprints(self) -> dict[int, str]:
        """What the prefix and each shorter one compute, by the position of its last layer; the last is the prefix's own."""
        assert self._cut is not None
        return fingerprints(self.model, self._cut)

    def prefix_from(self, position: int | None) -> keras.Model:
        """Return the model from the activations after `model.layers[position]` to those of the prefix; None: from the faces."""
        assert self.prefix is not None and self._cut is not None
        if position is None:
            return self.prefix
        if position not in self._parts:
            layers = self.model.layers
            self._parts[position] = keras.Model(layers[position].output, layers[self._cut].output)
        return self._parts[position]


class Networks:
    """The networks last used, compiled; the least recently used goes first.

    Args:
        keep: How many, at least 1.
    """

    def __init__(self, keep: int = KEPT) -> None:
        self._keep = keep
        self._networks: OrderedDict[str, Network] = OrderedDict()

    def get(self, recipe: Recipe, *, weights: str, seed: int, precision: str) -> Network:
        """Return the network that serves `recipe`, to be given a `begin`; arguments as for `Network`."""
        key = json.dumps([_compiled_key(recipe), weights, precision], sort_keys=True)
        if key not in self._networks:
            while len(self._networks) >= self._keep:
                self._networks.popitem(last=False)
                gc.collect()  # models and their traced functions refer to one another
            self._networks[key] = Network(
                recipe,
                weights=weights,
                seed=seed,
                precision=precision,
            )
        self._networks.move_to_end(key)
        network = self._networks[key]
        network.initialise(seed)
        return network


def _seeded_model(recipe: Recipe, weights: str, precision: str, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_model(recipe, weights=weights, precision=precision, dropout=dropout_layer())


def _values(variables: Iterable[Any]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _compiled_key(recipe: Recipe) -> dict[str, Any]:
    """All of the recipe that a compiled network cannot be given anew."""
    if not is_adjustable():
        return recipe.key(harmless={Acts.DATA})
    adjustable = adjustable_names(recipe)
    fixed = recipe.key(harmless={Acts.STEP, Acts.DATA})
    return {name: value for name, value in fixed.items() if name not in adjustable}


def multiply_adds(model: keras.Model) -> int:
    """Return the multiplications of a forward pass of one image, those of convolutions and dense layers."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    )
