"""What a training leaves on disk: epoch checkpoints, the best weights and history.csv, always of one moment."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import keras

from ferplus_data.files import write_file, write_text

_EPOCH_FILE = re.compile(r"epoch-(\d+)\.weights\.h5")


@dataclass(frozen=True)
class Epoch:
    """One finished epoch: its number from 1, the figures of Keras's `fit`, the learning rate at its end, its seconds."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


class Checkpoints:
    """The checkpoints of one training in `directory`, which is made if need be.

    `history.csv` is the commit record: an epoch exists once its row is there. Its weights (with the optimizer's state)
    are written before the row and those of the epoch before are removed after it, so a process killed at any moment
    leaves the last finished epoch whole.

    Args:
        directory: Of this training alone.
        identity: What the training is, as plain values. A directory that holds another training's files is emptied of them.
    """

    def __init__(self, directory: Path, identity: dict[str, Any] | None = None) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        if identity is not None:
            self._own(json.dumps(identity, sort_keys=True))
        self.history_path = directory / "history.csv"
        self.best_path = directory / "best.weights.h5"
        self.history: list[Epoch] = read_history(self.history_path)

    def _own(self, identity: str) -> None:
        record = self.directory / "training.json"
        if not record.exists() or record.read_text() != identity:
            for name in ("history.csv", "best.weights.h5", "model.keras"):
                (self.directory / name).unlink(missing_ok=True)
            self._remove_epochs(keep=None)
            write_text(record, identity)

    @property
    def best(self) -> Epoch | None:
        """The finished epoch with the highest validation accuracy, the earliest of equals."""
        return max(self.history, key=lambda e: e.val_accuracy, default=None)

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

    def save(self, model: keras.Model, epoch: Epoch) -> None:
        """Record a finished epoch."""
        write_file(self._epoch_path(epoch.epoch), model.save_weights)
        if self.best is None or epoch.val_accuracy > self.best.val_accuracy:
            write_file(self.best_path, lambda temporary: _link(self._epoch_path(epoch.epoch), temporary))
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
    with path.open(newline="") as file:
        return [
            Epoch(int(row["epoch"]), *(float(row[f.name]) for f in fields(Epoch)[1:]))
            for row in csv.DictReader(file)
        ]


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write `history` as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in history)
    write_text(path, text.getvalue())
