"""Tasks: hyperparameters with their ranges, and the learning curve of every configuration."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.errors import InputError

EPOCHS = 26
"""Epochs of a full training: every second of the 51 or 52 recorded ones, which is near the 30 of the space `ferplus`."""


@dataclass(frozen=True)
class Range:
    """A hyperparameter of a task: a number from `low` to `high`, searched on a logarithmic scale if `log`."""

    name: str
    low: float
    high: float
    log: bool = False
    integer: bool = False

    def value(self, unit: np.ndarray) -> np.ndarray:
        """Return the values at `unit`, positions from 0 (low) to 1 (high)."""
        if self.log:
            values = np.exp(np.log(self.low) + unit * (np.log(self.high) - np.log(self.low)))
        else:
            values = self.low + unit * (self.high - self.low)
        values = np.rint(values) if self.integer else values
        return np.clip(values, self.low, self.high)

    def unit(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `value`."""
        if self.log:
            return (np.log(values) - np.log(self.low)) / (np.log(self.high) - np.log(self.low))
        return (values - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Task:
    """What is searched.

    Args:
        name: As `--tasks` takes it.
        epochs: Of a full training.
        curves: Configurations -> scores after every epoch, (n, epochs), higher is better, NaN where a training diverged.
        best: The best known score of a full training (its best epoch).
        median: That of a median random configuration.
        ranges: The hyperparameters, in the order of a configuration's columns; empty if the task declares its own space.
        declare: Declares the space of a task without `ranges`; its configurations are {name: value}.
    """

    name: str
    epochs: int
    curves: Callable[[Any], np.ndarray]
    best: float
    median: float
    ranges: Sequence[Range] = ()
    declare: Callable[[Any], None] | None = None


def full_scores(curves: np.ndarray) -> np.ndarray:
    """Return the best value of each full training, (n,); 0 for one that diverged at once."""
    return np.nan_to_num(np.fmax.reduce(curves, axis=1), nan=0.0)


def task_loaders(names: Sequence[str], folder: Path) -> dict[str, Callable[[], Task]]:
    """Return what loads each of the tasks `names`, or of all that `folder` and the recorded studies have if there are none.

    Args:
        names: lcbench-OPENML_NUMBER, taskset-NUMBER, recorded-STUDY, in any order.
        folder: With lcbench/ and taskset/ in it, or either.

    Raises:
        InputError: No such task; the loaders raise it too, of a file that is not of its kind.
    """
    from benchmarks.simulator import lcbench, recorded, taskset

    families = {"lcbench": lcbench, "taskset": taskset, "recorded": recorded}
    known = {name: family for family in families.values() for name in family.names(folder)}
    if not names and all(family is recorded for family in known.values()):
        raise InputError(
            f"--curves {folder}: expected lcbench/model.onnx or taskset/taskset-N.npz in it, found neither"
        )
    for name in names:
        if name not in known:
            raise InputError(f"--tasks {name}: expected some of {', '.join(known)}")
    return {name: functools.partial(known[name].load, name, folder) for name in names or known}
