"""TensorBoard: a run a trial, DIR/STUDY/trial-0003, with its curves and hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.callbacks import Search, SearchCallback
from search.tracking.packages import require

if TYPE_CHECKING:
    from search.study.view import TrialRecord


class TensorBoardTracker(SearchCallback):
    """Writes events below `folder`."""

    def __init__(self, folder: str) -> None:
        require("tensorboard", "--tensorboard", "-r requirements-tracking.txt")
        self._folder = Path(folder)
        self._writers: dict[int, Any] = {}

    def on_search_begin(self, search: Search) -> None:
        self._folder /= search.study

    def on_trial_begin(self, trial: TrialRecord) -> None:
        import tensorflow as tf
        from tensorboard.plugins.hparams import api

        name = f"trial-{trial.number:04d}"
        writer = self._writers[trial.number] = tf.summary.create_file_writer(str(self._folder / name))
        with writer.as_default():
            api.hparams(dict(trial.hyperparameters), trial_id=name)
        writer.flush()

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        import tensorflow as tf

        with self._writers[trial.number].as_default():
            for name, value in logs.items():
                tf.summary.scalar(name, value, step=epoch)
        self._writers[trial.number].flush()

    def on_trial_end(self, trial: TrialRecord) -> None:
        self._writers.pop(trial.number).close()
