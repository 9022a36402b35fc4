"""What `fit` calls during a training: learning rate, dropout's random state, checkpoints, progress.

Adding a callback is a class here and a line in CALLBACKS.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models.metrics.objectives import measure
from models.networks.compiled import Network
from models.optimization.lr_policies import LR_POLICIES
from models.recipe import Recipe
from models.training.checkpoints import Checkpoints
from models.training.feed import Feed
from models.training.history import Epoch
from models.training.settings import OnBatch, OnEpoch, Settings
from models.training.times import Times

LEARNING_RATES_PER_EPOCH = 32
"""How often, at least, the learning rate follows its policy: in every step, or in every 32nd part of a longer epoch."""
_LOOK_EVERY = 32


class DivergedError(RuntimeError):
    """The loss became NaN or infinite."""


class Views(keras.callbacks.Callback):
    """Has the epoch's batches, and its activations, ready before its first step."""

    def __init__(self, fed: Feed, clock: Times) -> None:
        super().__init__()
        self._fed, self._clock = fed, clock

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._fed.training.begin(epoch)
        with self._clock.measured("cache"):
            self._fed.prepare(epoch)


class LearningRate(keras.callbacks.Callback):
    """Sets the learning rate from the recipe's policy, anew after every `stair` steps."""

    def __init__(self, recipe: Recipe, epochs: int, checkpoints: Checkpoints, stair: int) -> None:
        super().__init__()
        self._recipe, self._epochs, self._checkpoints, self._stair = recipe, epochs, checkpoints, stair
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch % self._stair:
            return
        recipe = self._recipe
        # JAX's steps hand their state on to one another, and would not look at the variable again within an epoch.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.model.optimizer.learning_rate = LR_POLICIES[recipe.lr_policy](
            recipe.learning_rate,
            epoch=self._epoch + batch / self.params["steps"],
            epochs=self._epochs,
            val_losses=[e.val_loss for e in self._checkpoints.history],
            **recipe.policy_parameters,
        )


class DropoutSeed(keras.callbacks.Callback):
    """Seeds dropout anew in every epoch: Keras does not save its random state, and a continued training must not repeat it."""

    def __init__(self, dropout: Any, seed: int) -> None:
        super().__init__()
        self._dropout, self._seed = dropout, seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._dropout.rate > 0:  # at 0 Keras's layer has no random state
            self._dropout.seed_generator.state.assign(np.array([self._seed, epoch]))


@dataclass(frozen=True)
class Context:
    """What a callback may need to know of the training it is made for.

    Attributes:
        recipe, settings: What is trained, and how.
        network: The recipe's.
        fed: The model that `fit` trains, and its batches.
        checkpoints: With the epochs so far.
        epochs: Those to come, from 0.
        clock: Seconds by name.
    """

    recipe: Recipe
    settings: Settings
    network: Network
    fed: Feed
    checkpoints: Checkpoints
    epochs: range
    clock: Times


CALLBACKS: dict[str, Callable[[Context], keras.callbacks.Callback]] = {
    "views": lambda context: Views(context.fed, context.clock),
    "learning rate": lambda context: LearningRate(
        context.recipe,
        context.epochs.stop,
        context.checkpoints,
        stair(context.recipe, len(context.fed.training.split)),
    ),
    "dropout": lambda context: DropoutSeed(context.network.dropout, context.settings.seed),
}
"""Every training's callbacks, in the order in which Keras calls them; the recorder and the progress follow."""


def stair(recipe: Recipe, rows: int) -> int:
    """Steps with one learning rate."""
    return max(1, -(-rows // recipe.batch_size) // LEARNING_RATES_PER_EPOCH)


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Give `model` the averages of its weights that its optimizer keeps while the block runs."""
    weights = model.trainable_variables
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in weights]
    model.optimizer.finalize_variable_values(weights)
    # Under JAX weight and average are one array now, which a step with the one would take from both.
    for variable in weights:
        variable.assign(keras.ops.copy(variable))
    try:
        yield
    finally:
        for variable, value in zip(weights, before, strict=True):
            variable.assign(value)


class Recorder(keras.callbacks.Callback):
    """Measures each epoch on the validation split, checkpoints it, then tells `on_epoch`; stops on its word, on patience, and on
    a loss that is not finite.

    Args:
        suffix: The model whose weights change.
        fed: What is trained, and on what.
        recipe, checkpoints, on_epoch, clock: The training's.
    """

    def __init__(
        self,
        suffix: keras.Model,
        fed: Feed,
        recipe: Recipe,
        checkpoints: Checkpoints,
        on_epoch: OnEpoch,
        clock: Times,
    ) -> None:
        super().__init__()
        self._suffix, self._fed = suffix, fed
        self._recipe, self._checkpoints = recipe, checkpoints
        self._on_epoch, self._clock = on_epoch, clock
        self.stopped = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start = self._clock.total()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == 0:
            self._clock.start("training")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # Reading the loss waits for the device. It is the mean so far, so that a NaN stays in it until someone looks.
        if batch % _LOOK_EVERY == _LOOK_EVERY - 1:
            self._check((logs or {}).get("loss", 0.0), f"at batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        figures = {name: float((logs or {})[name]) for name in ("loss", "accuracy")}
        self._check(figures["loss"], f"in epoch {epoch + 1}")
        split = self._fed.validation.split
        averages = functools.partial(averaged, self._suffix) if self._recipe.ema_fraction else None
        with self._clock.measured("validation"), averages() if averages else contextlib.nullcontext():
            probabilities = np.asarray(self._fed.scorer.predict(self._fed.validation, verbose=0), np.float32)
            metrics = measure(probabilities, split)
        # The loss is cross-entropy with the majority label, whatever the training's targets are.
        self._check(metrics["nll_majority"], f"on the validation split after epoch {epoch + 1}")
        finished = Epoch(
            epoch=epoch + 1,
            **figures,
            val_loss=metrics["nll_majority"],
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            seconds=self._clock.total() - self._start,
            metrics=metrics,
        )
        if logs is not None:  # the same dict for every callback after this one
            logs |= {f"val_{name}": value for name, value in metrics.items()} | {
                "val_loss": finished.val_loss
            }
        self._checkpoints.save(self._suffix, finished, split, probabilities, measured=averages)
        if self._on_epoch(finished):
            self.stopped = self.model.stop_training = True
        if patience_over(self._checkpoints, self._recipe):
            self.model.stop_training = True

    def _check(self, loss: float, when: str) -> None:
        if not math.isfinite(loss):
            raise DivergedError(f"the loss became {float(loss)} {when}")


class BatchProgress(keras.callbacks.Callback):
    """Passes batches on to `on_batch`, at most ten times a second and at the end of the epoch."""

    def __init__(self, on_batch: OnBatch | None) -> None:
        super().__init__()
        self._on_batch = on_batch
        self._epoch = 0
        self._told = -math.inf

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._tell(batch + 1, self.params["steps"])

    def chunk_ends(self, done: int, of: int) -> None:
        """Images of which activations have been computed."""
        self._tell(done, of)

    def _tell(self, done: int, of: int) -> None:
        if self._on_batch and (time.monotonic() - self._told >= 0.1 or done == of):
            self._told = time.monotonic()
            self._on_batch(self._epoch + 1, done, of)


def patience_over(checkpoints: Checkpoints, recipe: Recipe) -> bool:
    """Whether the recipe's patience has run out without a better epoch."""
    best = checkpoints.best
    return best is not None and checkpoints.history[-1].epoch - best.epoch >= recipe.patience
