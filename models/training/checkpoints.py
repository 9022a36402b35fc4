"""What a training leaves on disk: epoch checkpoints, the best epoch's weights and validation probabilities, and history.csv,
always of one moment."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from ferplus_data.errors import InputError
from ferplus_data.files import write_file, write_text
from models.hyperparameters import ALIASES
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from models.training.history import Epoch, readable_history, write_history

_RECORD, _HISTORY, _BEST = "training.json", "history.csv", "best.weights.h5"
_VALIDATION, _MODEL = "validation.npz", "model.keras"
_EPOCH_FILE = re.compile(r"epoch-(\d+)\.weights\.h5")


class Checkpoints:
    """The checkpoints of one training in `directory`, which is made if need be.

    `history.csv` is the commit record: an epoch exists once its row is there. Its weights (with the optimizer's state)
    are written before the row and those of the epoch before are removed after it, so a process killed at any moment
    leaves the last finished epoch whole. training.json, which is written first, tells that the directory is a training's.

    Args:
        directory: Of this training alone.
        identity: What the training is, as plain values. A directory that holds another training's files is emptied of them.
        objective: Name in `models.metrics.objectives.OBJECTIVES`: it tells the best epoch.

    Raises:
        InputError: The directory holds files under a training's names, but no training.json.
    """

    def __init__(
        self,
        directory: Path,
        identity: dict[str, Any] | None = None,
        objective: str = DEFAULT_OBJECTIVE,
    ) -> None:
        self._objective = objective
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        if identity is not None:
            self._own(json.dumps(identity, sort_keys=True))
        self.history_path = directory / _HISTORY
        self.best_path = directory / _BEST
        self.validation_path = directory / _VALIDATION
        self.history: list[Epoch] = readable_history(self.history_path)

    def _own(self, identity: str) -> None:
        record = self.directory / _RECORD
        if record.exists() and _without_aliases(record.read_bytes()) == identity.encode():
            return
        found = [path.name for path in self.directory.iterdir() if _is_of_a_training(path.name)]
        if found and not record.exists():
            raise InputError(
                f"{self.directory}: expected {_RECORD} beside {sorted(found)[0]}, found none, so the files may be another's; "
                "move them away"
            )
        for name in found:
            (self.directory / name).unlink()
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
        name = self._objective
        return OBJECTIVES[name].better(epoch.metrics[name], best.metrics[name])

    def restore(self, model: keras.Model) -> int:
        """Load the last finished epoch's weights and optimizer state into the compiled `model`; return its number, 0 when
        there is none. Where a checkpoint has gone missing or is damaged, the training starts over."""
        while self.history and not self._epoch_path(self.history[-1].epoch).is_file():
            self.history.pop()
        if not self.history:
            return 0
        last = self.history[-1].epoch
        model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
        try:
            self.load_best(model)  # which the end of the training will need
            model.load_weights(self._epoch_path(last))
        except Exception:
            # Whatever a damaged file makes Keras or h5py raise, perhaps after some layers have been loaded.
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            self.history.clear()
            return 0
        return last

    def take_over(self, directory: Path) -> None:
        """Begin with the epochs that another training left in `directory`, unless this one has epochs already. Where the other's
        last checkpoint is missing, there is nothing to begin with."""
        history = readable_history(directory / _HISTORY)
        if self.history or not history:
            return
        names = (f"epoch-{history[-1].epoch:04d}.weights.h5", _BEST, _VALIDATION)
        if not all((directory / name).is_file() for name in names):
            return
        for name in names:
            write_file(self.directory / name, functools.partial(_link, directory / name))
        self.history = history
        write_history(self.history_path, history)

    def save(
        self,
        model: keras.Model,
        epoch: Epoch,
        split: Split,
        probabilities: NDArray[np.float32],
        *,
        measured: Callable[[], contextlib.AbstractContextManager[None]] | None = None,
    ) -> None:
        """Record a finished epoch.

        Args:
            model: As it is after the epoch.
            epoch: Its figures.
            split: The validation split.
            probabilities: float32 [N, 8], of its N rows.
            measured: Gives the model the weights that it was measured with, where those are not the ones it goes on with.
        """
        write_file(self._epoch_path(epoch.epoch), model.save_weights)
        if self.best is None or self._improves(epoch, self.best):
            if measured is None:
                write_file(self.best_path, lambda temporary: _link(self._epoch_path(epoch.epoch), temporary))
            else:
                with measured():
                    write_file(self.best_path, _weights_alone(model).save_weights)
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
        """Load the weights of the best finished epoch into `model`; its optimizer stays as it is."""
        _weights_alone(model).load_weights(self.best_path)

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


def remove_training(directory: Path, also: Iterable[str] = ()) -> None:
    """Remove what a training left in `directory`, if a training.json tells that it is one's, files of the names `also`, and the
    directory, unless something else is in it."""
    if not directory.is_dir():
        return
    is_ours = (directory / _RECORD).is_file()
    for path in sorted(directory.iterdir()):
        if path.name in also or (is_ours and path.name != _RECORD and _is_of_a_training(path.name)):
            path.unlink()
    if is_ours:
        (directory / _RECORD).unlink()
    with contextlib.suppress(OSError):  # not empty
        directory.rmdir()


def _without_aliases(identity: bytes) -> bytes:
    """The recorded `identity` as it is written today: earlier versions wrote what are aliases now."""
    for name, aliases in ALIASES.items():
        for alias, own in aliases.items():
            identity = identity.replace(f'"{name}": "{alias}"'.encode(), f'"{name}": "{own}"'.encode())
    return identity


def _is_of_a_training(name: str) -> bool:
    name = re.sub(r"^\.writing-[0-9a-f]{8}-", "", name)
    return name in (_HISTORY, _BEST, _VALIDATION, _MODEL) or _EPOCH_FILE.fullmatch(name) is not None


def _weights_alone(model: keras.Model) -> keras.Model:
    """The same model without its optimizer."""
    return keras.Model(model.inputs, model.outputs)


def _link(source: Path, path: Path) -> None:
    """Make `path` another name of the file, or a copy where the file system knows no other names."""
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
