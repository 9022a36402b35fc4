"""history.csv: the figures of a training's finished epochs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ferplus_data.errors import InputError
from ferplus_data.files import write_text
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES

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

    def row(self) -> dict[str, float]:
        """Its values by the columns of history.csv."""
        numbers = {name: getattr(self, name) for name in ("epoch", *_NUMBERS)}
        return numbers | {f"val_{name}": value for name, value in self.metrics.items()}


def read_history(path: Path) -> list[Epoch]:
    """Return the epochs recorded in `path`; none when there is no such file.

    Raises:
        InputError: It is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            history = [
                Epoch(
                    int(row["epoch"]),
                    **{name: float(row[name]) for name in _NUMBERS},
                    metrics={
                        name: float(row[f"val_{name}"]) for name in OBJECTIVES if row.get(f"val_{name}")
                    },
                )
                for row in rows
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(_damaged(path, str(error) or type(error).__name__)) from error
    if any(DEFAULT_OBJECTIVE not in epoch.metrics for epoch in history):
        raise InputError(_damaged(path, f"no val_{DEFAULT_OBJECTIVE}"))
    if not history or [epoch.epoch for epoch in history] != list(range(1, len(history) + 1)):
        raise InputError(_damaged(path, f"epochs {[epoch.epoch for epoch in history]}"))
    return history


def readable_history(path: Path) -> list[Epoch]:
    """Return the epochs recorded in `path`; none when there is no such file or it is damaged."""
    try:
        return read_history(path)
    except InputError:
        return []


def _damaged(path: Path, found: str) -> str:
    return f"{path}: expected the epochs of a training, one a row, found: {found}; remove it"


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write `history` as CSV, whole or not at all."""
    text = io.StringIO()
    columns = ["epoch", *_NUMBERS, *(f"val_{name}" for name in OBJECTIVES)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(epoch.row() for epoch in history)
    write_text(path, text.getvalue())
