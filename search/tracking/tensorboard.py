"""TensorBoard: a run a trial, DIR/STUDY/trial-0003, with its curves and hyperparameters, and one for the retrained model,
DIR/STUDY/best."""

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
        self._writers[trial.number] = self._begin(f"trial-{trial.number:04d}", trial.hyperparameters)

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        import tensorflow as tf

        with self._writers[trial.number].as_default():
            for name, value in logs.items():
                tf.summary.scalar(name, value, step=epoch)
        self._writers[trial.number].flush()

    def on_trial_end(self, trial: TrialRecord) -> None:
        self._writers.pop(trial.number).close()

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        if metrics is None:
            return
        import tensorflow as tf

        figures = {name: metrics[name] for name in ("val_accuracy", "test_accuracy")}
        for split, values in metrics.get("objectives", {}).items():
            figures |= {f"{split}_{name}": value for name, value in values.items()}
        writer = self._begin("best", metrics["hyperparameters"])
        with writer.as_default():
            for name, value in figures.items():
                if value is not None:  # the test labels may not have been looked at
                    tf.summary.scalar(name, value, step=metrics["best_epoch"])
        writer.close()

    def _begin(self, name: str, hyperparameters: Mapping[str, Any]) -> Any:
        """Return what writes the run `name`, which has its hyperparameters already."""
        import tensorflow as tf
        from tensorboard.plugins.hparams import api

        writer = tf.summary.create_file_writer(str(self._folder / name))
        with writer.as_default():
            api.hparams(dict(hyperparameters), trial_id=name)
        writer.flush()
        return writer
