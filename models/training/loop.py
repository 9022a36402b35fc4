"""The training loop: one recipe on one data set, epoch by epoch, interruptible and resumable."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferplus_data.dataset import Dataset, Split
from models.device.setup import mirrored
from models.frozen_prefix.activations import Caching
from models.networks.build import build_model
from models.networks.compiled import Networks
from models.recipe import Recipe
from models.training.callbacks import (
    DropoutSeed,
    LearningRate,
    OnBatch,
    OnEpoch,
    Progress,
    Recorder,
    Views,
    patience_over,
)
from models.training.checkpoints import Checkpoints, Epoch
from models.training.feed import feed
from models.training.times import Times

LEARNING_RATES_PER_EPOCH = 32
"""How often, at least, the learning rate follows its policy: in every step, or in every 32nd part of a longer epoch."""


@dataclass(frozen=True)
class Training:
    """A finished (or stopped) training.

    Attributes:
        history: Its epochs.
        best: The one with the highest validation accuracy.
        stopped: Whether `on_epoch` stopped it before its end.
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
    weights: str = "none",
    seed: int = 0,
    train_split: Split | None = None,
    precision: str = "float32",
    networks: Networks | None = None,
    caching: Caching | None = None,
    on_epoch: OnEpoch | None = None,
    on_batch: OnBatch | None = None,
    replicas: int = 1,
    say: Callable[[str], None] = lambda line: None,
    record: dict[str, Any] | None = None,
) -> Training:
    """Train `recipe` on the training split and keep the epoch with the best validation accuracy.

    A training found unfinished in `directory` is continued after its last finished epoch, and then ends as it would
    have without the interruption: order, augmentation, dropout and learning rate are functions of the seed and the step, and
    weights and optimizer state come from the checkpoint.

    Args:
        recipe: What to train.
        dataset: What to train on and validate with. Its test split is not touched.
        directory: Where checkpoints and history.csv go.
        epochs: Most epochs; the recipe's patience may end it sooner.
        weights: As `models.networks.build.build_model` takes them.
        seed: Of initialisation, order, augmentation and dropout.
        train_split: Rows to train on in place of the whole training split.
        precision: Name in `models.device.precision.PRECISIONS`.
        networks: Where a compiled network is taken from and left for the next training.
        caching: How to use the prefix cache; None: the whole network runs in every step, on fresh augmentation.
        on_epoch: Told of each finished epoch, after its checkpoint is safe; also of the epochs of an earlier, interrupted
            run, so that the caller always sees the whole training.
        on_batch: Told of each finished batch, at most ten times a second.
        replicas: GPUs that share each batch. With several, the rows beyond the last whole batch are left out.
        say: Takes a line for the user.
        record: Takes what a report tells of the training, up to date whenever `on_epoch` is called: times, the seconds of
            build, training, validation and cache; prefix_cache, whether it was used, the reason and the seconds_saved.

    Raises:
        DivergedError: The loss is no longer finite.
    """
    split = train_split or dataset.train
    if replicas > 1:
        # A last, smaller batch can leave a replica without a row, and its mean loss is not a number then.
        split = split.take(np.arange(len(split) - len(split) % recipe.batch_size))
    record = {} if record is None else record
    times = record.setdefault("times", {})
    clock = Times(times)
    with clock.measured("build"), mirrored(replicas):
        network = (networks or Networks(keep=1)).get(
            recipe,
            weights=weights,
            seed=seed,
            precision=precision,
        )
        network.begin(recipe, fuse=_stair(recipe, len(split)))
    identity = {
        "recipe": recipe.key(),
        "epochs": epochs,
        "seed": seed,
        "weights": weights,
        "precision": precision,
        "rows": len(split),
    }
    checkpoints = Checkpoints(directory, identity)
    with mirrored(replicas):
        done = checkpoints.restore(network.suffix)
    stopped = any([on_epoch(epoch) for epoch in checkpoints.history]) if on_epoch else False
    cached = False
    if done < epochs and not stopped and not patience_over(checkpoints, recipe):
        progress = Progress(on_batch)
        with clock.measured("cache"):
            fed = feed(recipe, dataset, split, network, caching, seed, done, epochs, say, progress.chunk_ends)
        cached = fed.cached
        record["prefix_cache"] = {"used": cached, "reason": fed.why, "seconds_saved": 0.0}

        def on_recorded(epoch: Epoch) -> bool | None:
            if cached:
                saved = (epoch.epoch - done) * fed.prefix_seconds() - times["cache"]
                record["prefix_cache"]["seconds_saved"] = saved
            return on_epoch(epoch) if on_epoch else None

        recorder = Recorder(network.suffix, recipe, checkpoints, on_recorded, clock)
        fed.model.fit(
            fed.training,
            validation_data=fed.validation,
            shuffle=False,  # Batches orders the rows; Keras would shuffle the batches once more, by a global random state
            initial_epoch=done,
            epochs=epochs,
            callbacks=[
                Views(fed.prepare, clock),
                LearningRate(recipe, epochs, checkpoints, _stair(recipe, len(split))),
                DropoutSeed(network.dropout, seed),
                recorder,
                progress,
            ],
            verbose=0,
        )
        stopped = recorder.stopped
    best = checkpoints.best
    assert best is not None, "fit() returned without an epoch"
    checkpoints.load_best(network.suffix)
    return Training(checkpoints.history, best, stopped, cached, recipe, network.model.get_weights())


def _stair(recipe: Recipe, rows: int) -> int:
    """Steps with one learning rate."""
    return max(1, -(-rows // recipe.batch_size) // LEARNING_RATES_PER_EPOCH)
