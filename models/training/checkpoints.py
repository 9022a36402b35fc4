"""What a training leaves on disk: epoch checkpoints, the best epoch's weights and validation probabilities, and history.csv,
always of one moment."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from ferplus_data.files import write_file, write_text
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES

_EPOCH_FILE = re.compile(r"epoch-(\d+)\.weights\.h5")
_NUMBERS = ("loss", "accuracy", "val_loss", "learning_rate", "seconds")


@dataclass(frozen=True)
class Epoch:
    """One finished epoch, a row of history.csv.

    Attributes:
        epoch: Its number, from 1.
        loss, accuracy: Of the training batches, as Keras's `fit` tells them.
        val_loss: Cross-entropy of the validation split, by which the plateau policy goes.
        learning_rate: At its end.
        seconds: It took.
        metrics: Every objective's value on the validation split, by name; the columns val_NAME.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    learning_rate: float
    seconds: float
    metrics: Mapping[str, float]

    @property
    def val_accuracy(self) -> float:
        """Accuracy on the validation split, 0 to 1."""
        return self.metrics["accuracy"]


class Checkpoints:
    """The checkpoints of one training in `directory`, which is made if need be.

    `history.csv` is the commit record: an epoch exists once its row is there. Its weights (with the optimizer's state)
    are written before the row and those of the epoch before are removed after it, so a process killed at any moment
    leaves the last finished epoch whole.

    Args:
        directory: Of this training alone.
        identity: What the training is, as plain values. A directory that holds another training's files is emptied of them.
        objective: Name in `models.metrics.objectives.OBJECTIVES`: it tells the best epoch.
    """

    def __init__(
        self,
        directory: Path,
        identity: dict[str, Any] | None = None,
        objective: str = DEFAULT_OBJECTIVE,
    ) -> None:
        self._objective = OBJECTIVES[objective]
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        if identity is not None:
            self._own(json.dumps(identity, sort_keys=True))
        self.history_path = directory / "history.csv"
        self.best_path = directory / "best.weights.h5"
        self.validation_path = directory / "validation.npz"
        self.history: list[Epoch] = read_history(self.history_path)

    def _own(self, identity: str) -> None:
        record = self.directory / "training.json"
        if not record.exists() or record.read_text() != identity:
            for name in ("history.csv", "best.weights.h5", "validation.npz", "model.keras"):
                (self.directory / name).unlink(missing_ok=True)
            self._remove_epochs(keep=None)
            write_text(record, identity)

    @property
    def best(self) -> Epoch | None:
        """The finished epoch that is best by the objective, the earliest of equals."""
        best: Epoch | None = None
        for epoch in self.history:
            if best is None or self._improves(epoch, best):
                best = epoch
        return best

    def _improves(self, epoch: Epoch, best: Epoch) -> bool:
        name = self._objective.name
        return self._objective.better(epoch.metrics[name], best.metrics[name])

    def restore(self, model: keras.Model) -> int:
        """Load the last finished epoch's weights and optimizer state into the compiled `model`; return its number, 0 when
        there is none. A checkpoint that has gone missing starts the training over."""
        while self.history and not self._epoch_path(self.history[-1].epoch).exists():
            self.history.pop()
        if not self.history:
            return 0
        last = self.history[-1].epoch
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self._epoch_path(last))
        return last

    def save(
        self, model: keras.Model, epoch: Epoch, split: Split, probabilities: NDArray[np.float32]
    ) -> None:
        """Record a finished epoch.

        Args:
            model: As it is after the epoch.
            epoch: Its figures.
            split: The validation split.
            probabilities: float32 [N, 8], of its N rows.
        """
        write_file(self._epoch_path(epoch.epoch), model.save_weights)
        if self.best is None or self._improves(epoch, self.best):
            write_file(self.best_path, lambda temporary: _link(self._epoch_path(epoch.epoch), temporary))
            write_file(
                self.validation_path,
                lambda temporary: np.savez(
                    temporary,
                    probabilities=probabilities.astype(np.float16),
                    labels=split.labels.astype(np.uint8),
                    rows=split.rows,
                    epoch=epoch.epoch,
                ),
            )
        self.history.append(epoch)
        write_history(self.history_path, self.history)
        self._remove_epochs(keep=epoch.epoch)

    def load_best(self, model: keras.Model) -> None:
        """Load the weights of the best finished epoch into `model`."""
        model.load_weights(self.best_path)

    def finish(self) -> None:
        """Remove what only a continuation needs. The best weights and the history stay."""
        self._remove_epochs(keep=None)

    def _epoch_path(self, epoch: int) -> Path:
        return self.directory / f"epoch-{epoch:04d}.weights.h5"

    def _remove_epochs(self, keep: int | None) -> None:
        for path in self.directory.iterdir():
            match = _EPOCH_FILE.fullmatch(path.name)
            if match and int(match[1]) != keep:
                path.unlink()


def _link(source: Path, path: Path) -> None:
    """Make `path` another name of the file, or a copy where the file system knows no other names."""
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)


def read_history(path: Path) -> list[Epoch]:
    """Return the epochs recorded in `path`; none when there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Epoch(
                int(row["epoch"]),
                **{name: float(row[name]) for name in _NUMBERS},
                metrics={name: float(row[f"val_{name}"]) for name in OBJECTIVES if row.get(f"val_{name}")},
            )
            for row in csv.DictReader(file)
        ]


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write `history` as CSV, whole or not at all."""
    text = io.StringIO()
    columns = ["epoch", *_NUMBERS, *(f"val_{name}" for name in OBJECTIVES)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        numbers = {name: getattr(epoch, name) for name in ("epoch", *_NUMBERS)}
        writer.writerow(numbers | {f"val_{name}": value for name, value in epoch.metrics.items()})
    write_text(path, text.getvalue())
