"""What follows a search elsewhere, by the option that names where: TensorBoard, MLflow, Weights & Biases, a web hook. Adding one
is a file here, a line in TRACKERS and an option of its name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from search.callbacks import Search, SearchCallback
from search.storages.redaction import redact
from search.tracking import mlflow, notify, tensorboard, wandb

if TYPE_CHECKING:
    from search.study.view import TrialRecord

TRACKERS: dict[str, Callable[[str], SearchCallback]] = {
    "tensorboard": tensorboard.TensorBoardTracker,
    "mlflow": mlflow.MLflowTracker,
    "wandb": wandb.WandbTracker,
    "notify": notify.Notifier,
}


def trackers(places: Mapping[str, str | None]) -> list[SearchCallback]:
    """Return a callback for each of `places`, by names in TRACKERS; those that are None are left out.

    Raises:
        InputError: A package is not installed, or a place cannot be one.
    """
    return [Forgiving(name, TRACKERS[name](place)) for name, place in places.items() if place]


class Forgiving(SearchCallback):
    """Passes everything on to a tracker. What that raises is a warning: a search does not end because nobody listens.

    Args:
        name: Of the option.
        tracker: Told.
    """

    def __init__(self, name: str, tracker: SearchCallback) -> None:
        self._name, self._tracker = name, tracker
        self._warned: set[str] = set()

    def on_search_begin(self, search: Search) -> None:
        self._tell(self._tracker.on_search_begin, search)

    def on_trial_begin(self, trial: TrialRecord) -> None:
        self._tell(self._tracker.on_trial_begin, trial)

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        self._tell(self._tracker.on_epoch_end, trial, epoch, logs)

    def on_trial_end(self, trial: TrialRecord) -> None:
        self._tell(self._tracker.on_trial_end, trial)

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        self._tell(self._tracker.on_search_end, metrics, error)

    def _tell(self, method: Callable[..., None], *told: Any) -> None:
        try:
            method(*told)
        except Exception as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
            if why not in self._warned:
                self._warned.add(why)
                logging.getLogger(__name__).warning("--%s: not recorded: %s", self._name, redact(why))
