"""The training loop: one recipe on one data set, epoch by epoch, interruptible and resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from ferplus_data.batches import Batches
from ferplus_data.dataset import Dataset, Split
from models.build import build_model, compile_model
from models.checkpoints import Checkpoints, Epoch
from models.class_weights import CLASS_WEIGHTS
from models.device import mirrored
from models.lr_policies import LR_POLICIES
from models.recipe import Recipe

OnEpoch = Callable[[Epoch], bool | None]
"""Called with each finished epoch; training stops when it returns True."""
OnBatch = Callable[[int, int, int], None]
"""Called as each batch ends with (epoch from 1, batch from 1, batches in the epoch)."""

VALIDATION_BATCH = 256


class DivergedError(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class Training:
    """A finished (or stopped) training: the model with its best epoch's weights, its history, and whether `on_epoch`
    stopped it before its end."""

    model: keras.Model
    history: list[Epoch]
    best: Epoch
    stopped: bool


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    directory: Path,
    epochs: int,
    weights: str = "none",
    seed: int = 0,
    train_split: Split | None = None,
    on_epoch: OnEpoch | None = None,
    on_batch: OnBatch | None = None,
    replicas: int = 1,
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
        weights: As `models.build.build_model` takes them.
        seed: Of initialisation, order, augmentation and dropout.
        train_split: Rows to train on in place of the whole training split.
        on_epoch: Told of each finished epoch, after its checkpoint is safe; also of the epochs of an earlier, interrupted
            run, so that the caller always sees the whole training.
        on_batch: Told of each finished batch.
        replicas: GPUs that share each batch.

    Raises:
        DivergedError: The loss is no longer finite.
    """
    split = train_split or dataset.train
    keras.utils.set_random_seed(seed)
    with mirrored(replicas):
        model = build_model(recipe, weights=weights)
        compile_model(model, recipe)
    identity = {
        "recipe": asdict(recipe),
        "epochs": epochs,
        "seed": seed,
        "weights": weights,
        "rows": len(split),
    }
    checkpoints = Checkpoints(directory, identity)
    with mirrored(replicas):
        done = checkpoints.restore(model)
    stopped = any([on_epoch(epoch) for epoch in checkpoints.history]) if on_epoch else False
    if done < epochs and not stopped and not _patience_over(checkpoints, recipe):
        recorder = _Recorder(recipe, checkpoints, on_epoch)
        model.fit(
            _training_batches(recipe, split, seed, done),
            validation_data=Batches(
                dataset.val,
                batch_size=VALIDATION_BATCH,
                targets=dataset.val.targets("majority"),
                shuffle=False,
            ),
            shuffle=False,  # Batches orders the rows; Keras would shuffle the batches once more, by a global random state
            initial_epoch=done,
            epochs=epochs,
            callbacks=[
                _LearningRate(recipe, epochs, checkpoints),
                _DropoutSeed(seed),
                recorder,
                _Progress(on_batch),
            ],
            verbose=0,
        )
        stopped = recorder.stopped
    best = checkpoints.best
    assert best is not None, "fit() returned without an epoch"
    checkpoints.load_best(model)
    return Training(model, checkpoints.history, best, stopped)


def _training_batches(recipe: Recipe, split: Split, seed: int, epoch: int) -> Batches:
    targets = split.targets(recipe.target)
    class_weights = CLASS_WEIGHTS[recipe.class_weights](split.class_counts)
    # The expected weight of a row under its target; for the majority label this is Keras's class_weight.
    sample_weight = None if recipe.class_weights == "none" else (targets @ class_weights).astype(np.float32)
    smoothing = recipe.label_smoothing
    return Batches(
        split,
        batch_size=recipe.batch_size,
        targets=targets * (1 - smoothing) + smoothing / targets.shape[1],
        augmentation=recipe.augmentation,
        seed=seed,
        sample_weight=sample_weight,
        epoch=epoch,
    )


def _patience_over(checkpoints: Checkpoints, recipe: Recipe) -> bool:
    best = checkpoints.best
    return best is not None and checkpoints.history[-1].epoch - best.epoch >= recipe.patience


class _LearningRate(keras.callbacks.Callback):
    """Sets the learning rate of every step from the recipe's policy."""

    def __init__(self, recipe: Recipe, epochs: int, checkpoints: Checkpoints) -> None:
        super().__init__()
        self._recipe, self._epochs, self._checkpoints = recipe, epochs, checkpoints
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        recipe = self._recipe
        self.model.optimizer.learning_rate = LR_POLICIES[recipe.lr_policy](
            recipe.learning_rate,
            epoch=self._epoch + batch / self.params["steps"],
            epochs=self._epochs,
            val_losses=[e.val_loss for e in self._checkpoints.history],
            **recipe.policy_parameters,
        )


class _DropoutSeed(keras.callbacks.Callback):
    """Seeds dropout anew in every epoch: Keras does not save its random state, and a continued training must not repeat it."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign(np.array([self._seed, epoch]))


class _Recorder(keras.callbacks.Callback):
    """Checkpoints each epoch, then tells `on_epoch`; stops on its word, on patience, and on a loss that is not finite."""

    def __init__(self, recipe: Recipe, checkpoints: Checkpoints, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self._recipe, self._checkpoints, self._on_epoch = recipe, checkpoints, on_epoch
        self.stopped = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss became {loss} at batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        figures = {
            name: float((logs or {})[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        if not math.isfinite(figures["val_loss"]):
            raise DivergedError(f"the validation loss became {figures['val_loss']} after epoch {epoch + 1}")
        finished = Epoch(
            epoch=epoch + 1,
            **figures,
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            seconds=time.monotonic() - self._start,
        )
        self._checkpoints.save(self.model, finished)
        if self._on_epoch and self._on_epoch(finished):
            self.stopped = self.model.stop_training = True
        if _patience_over(self._checkpoints, self._recipe):
            self.model.stop_training = True


class _Progress(keras.callbacks.Callback):
    def __init__(self, on_batch: OnBatch | None) -> None:
        super().__init__()
        self._on_batch = on_batch
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._on_batch:
            self._on_batch(self._epoch + 1, batch + 1, self.params["steps"])
