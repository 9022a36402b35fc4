"""The training loop: one recipe on one data set, epoch by epoch, interruptible and resumable."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferplus_data.dataset import Dataset
from models.device.setup import replicated
from models.frozen_prefix.activations import Caching
from models.networks.build import build_model
from models.networks.compiled import Network, Networks
from models.recipe import Recipe
from models.training.callbacks import CALLBACKS, BatchProgress, Context, Recorder, patience_over, stair
from models.training.checkpoints import Checkpoints
from models.training.feed import feed
from models.training.history import Epoch
from models.training.settings import Listener, Settings
from models.training.times import Times

_DEFAULTS = Settings()


@dataclass(frozen=True)
class Training:
    """A finished (or stopped) training.

    Attributes:
        history: Its epochs.
        best: The one that is best by the objective.
        stopped: Whether the listener stopped it before its end.
        cached: Whether it was fed with a prefix's activations.
    """

    history: list[Epoch]
    best: Epoch
    stopped: bool
    cached: bool
    _recipe: Recipe
    _best_weights: list[np.ndarray]

    @functools.cached_property
    def model(self) -> keras.Model:
        """The model with the best epoch's weights, in float32 and of Keras's own layers."""
        model = build_model(self._recipe)
        model.set_weights(self._best_weights)
        return model


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    directory: Path,
    epochs: int,
    settings: Settings = _DEFAULTS,
    networks: Networks | None = None,
    caching: Caching | None = None,
    listener: Listener | None = None,
) -> Training:
    """Train `recipe` on the training split and keep the epoch that is best on the validation split.

    A training found unfinished in `directory` is continued after its last finished epoch, and ends as it would have without the
    interruption: all that is random is a function of seed and step; weights and optimizer state come from the checkpoint.

    Args:
        recipe: What to train.
        dataset: What to train on and validate with. Its test split is not touched.
        directory: Where checkpoints, validation.npz and history.csv go.
        epochs: Most epochs; the recipe's patience may end it sooner.
        settings: How to train it.
        networks: Where a compiled network is taken from and left for the next training.
        caching: How to use the prefix cache; None: the whole network runs in every step, on fresh augmentation.
        listener: Whom to tell.

    Raises:
        DivergedError: The loss is no longer finite.

    Example:
        >>> training = train(Recipe(), load_dataset("demo"), directory=Path("trial"), epochs=3, settings=Settings(seed=1))
        >>> training.best.val_accuracy
    """
    listener = listener or Listener()
    split = settings.train_split or dataset.train
    if settings.replicas > 1:
        # A last, smaller batch can leave a replica without a row, and its mean loss is not a number then.
        split = split.take(np.arange(len(split) - len(split) % recipe.batch_size))
    settings = dataclasses.replace(settings, train_split=split)
    clock = Times(listener.record.setdefault("times", {}))
    with clock.measured("build"), replicated(settings.replicas):
        pool, weights = networks or Networks(keep=1), settings.weights
        network = pool.get(recipe, weights=weights, seed=settings.seed, precision=settings.precision)
        steps = epochs * -(-len(split) // recipe.batch_size)
        network.begin(recipe, fuse=stair(recipe, len(split)), steps=steps)
    listener.record["network"] = {"parameters": network.parameters, "bytes": 4 * network.parameters}
    checkpoints = Checkpoints(directory, _identity(recipe, dataset, settings, epochs), settings.objective)
    if settings.after is not None:
        checkpoints.take_over(settings.after)
    with replicated(settings.replicas):
        done = checkpoints.restore(network.suffix)
    stopped = any([listener.on_epoch(epoch) for epoch in checkpoints.history]) if listener.on_epoch else False
    cached = False
    if done < epochs and not stopped and not patience_over(checkpoints, recipe):
        left = range(done, epochs)
        cached, stopped = _fit(recipe, dataset, settings, network, caching, left, checkpoints, listener)
    best = checkpoints.best
    assert best is not None, "fit() returned without an epoch"
    checkpoints.load_best(network.suffix)
    return Training(checkpoints.history, best, stopped, cached, recipe, network.model.get_weights())


def _identity(recipe: Recipe, dataset: Dataset, settings: Settings, epochs: int) -> dict[str, Any]:
    """All that a training in a directory has to share with one that goes on with its files."""
    assert settings.train_split is not None
    rows = np.ascontiguousarray(settings.train_split.rows)
    return {
        **settings.key(),
        "recipe": recipe.key(),
        "epochs": epochs,
        "data": dataset.fingerprint,
        "rows": hashlib.sha256(rows.tobytes()).hexdigest(),
    }


def _fit(
    recipe: Recipe,
    dataset: Dataset,
    settings: Settings,
    network: Network,
    caching: Caching | None,
    epochs: range,
    checkpoints: Checkpoints,
    listener: Listener,
) -> tuple[bool, bool]:
    """Train the epochs to come. Return whether on a prefix's activations, and whether the listener ended it."""
    record = listener.record
    clock = Times(record["times"])
    progress = BatchProgress(listener.on_batch)
    with clock.measured("cache"):
        fed = feed(recipe, dataset, settings, network, caching, epochs, listener.say, progress.chunk_ends)
    record["prefix_cache"] = {"used": fed.cached, "reason": fed.why, "seconds_saved": 0.0}

    def on_recorded(epoch: Epoch) -> bool | None:
        record["seconds_per_epoch"] = float(np.mean([one.seconds for one in checkpoints.history]))
        if fed.cached:
            saved = (epoch.epoch - epochs.start) * fed.prefix_seconds() - record["times"]["cache"]
            record["prefix_cache"]["seconds_saved"] = saved
        return listener.on_epoch(epoch) if listener.on_epoch else None

    context = Context(recipe, settings, network, fed, checkpoints, epochs, clock)
    recorder = Recorder(network.suffix, fed, recipe, checkpoints, on_recorded, clock)
    fed.model.fit(
        fed.training,
        shuffle=False,  # Batches orders the rows; Keras would shuffle the batches once more, by a global random state
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        callbacks=[
            *(make(context) for make in CALLBACKS.values()),
            recorder,
            progress,
            *listener.callbacks,
        ],
        verbose=0,
    )
    return fed.cached, recorder.stopped
