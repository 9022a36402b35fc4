"""What a training is told beside its recipe: how to train, and whom to tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import keras

from ferplus_data.dataset import Split
from models.metrics.objectives import DEFAULT_OBJECTIVE
from models.training.history import Epoch

OnEpoch = Callable[[Epoch], bool | None]
"""Called with each finished epoch; training stops when it returns True."""
OnBatch = Callable[[int, int, int], None]
"""Called as training advances with (epoch from 1, batches or images done, of how many)."""
_HARMLESS = {"replicas", "train_split", "after"}
"""Settings that change no result, or that what they name is compared for: the rows, and the recipe that was begun."""


@dataclass(frozen=True)
class Settings:
    """How a recipe is trained.

    Attributes:
        weights: As `models.networks.build.build_model` takes them.
        seed: Of initialisation, order, augmentation and dropout.
        precision: Name in `models.device.precision.PRECISIONS`.
        objective: Name in `models.metrics.objectives.OBJECTIVES`: it tells the best epoch, and so when patience has run out.
        replicas: GPUs that share each batch. With several, the rows beyond the last whole batch are left out.
        train_split: Rows to train on in place of the whole training split.
        after: Directory of a shorter training of the same recipe, as it is with the checkpoint of its last epoch. A new training
            goes on from there, with its epochs, weights and optimizer state.
    """

    weights: str = "none"
    seed: int = 0
    precision: str = "float32"
    objective: str = DEFAULT_OBJECTIVE
    replicas: int = 1
    train_split: Split | None = None
    after: Path | None = None

    def key(self) -> dict[str, Any]:
        """Return what two trainings of one recipe on the same rows have to share if one is to go on with the other's files."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _HARMLESS}


@dataclass(frozen=True)
class Listener:
    """Whom a training tells.

    Attributes:
        on_epoch: Told of each finished epoch, after its checkpoint is safe; also of the epochs of an earlier, interrupted run, so
            that it always sees the whole training.
        on_batch: Told of each finished batch, at most ten times a second.
        say: Takes a line for the user.
        record: Takes what a report tells of the training, up to date whenever `on_epoch` is called: times, the seconds of build,
            training, validation and cache; seconds_per_epoch, the mean over its epochs; network, its parameters and the bytes of
            their values in a model file; prefix_cache, whether it was used, the reason and the seconds_saved.
        callbacks: Keras callbacks, of this training alone. They come after all others, with the validation split's metrics in
            their logs, and see the model that is trained: what is behind the frozen part, where that is cached.
    """

    on_epoch: OnEpoch | None = None
    on_batch: OnBatch | None = None
    say: Callable[[str], None] = lambda line: None
    record: dict[str, Any] = field(default_factory=dict)
    callbacks: Sequence[keras.callbacks.Callback] = ()
