"""How often the trials of a study are read from its database.

A sampler reads all trials several times for one suggestion, and every reading asks the database for those that have not ended.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import optuna
from optuna.storages import _CachedStorage

from search.patient import PatientStorage


class ReadingStorage(_CachedStorage):
    """Optuna's cache of ended trials over a `PatientStorage`, of which a thread can ask to be left as it is for a while."""

    def __init__(self, backend: PatientStorage) -> None:
        super().__init__(backend)
        self.backend = backend
        self.thread = threading.local()

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        if not getattr(self.thread, "held", False):
            super()._read_trials_from_remote_storage(study_id)


@contextlib.contextmanager
def held(study: optuna.Study) -> Iterator[None]:
    """Read the trials now, and to this thread show them as they are now, apart from its own new ones, while the block runs."""
    refresh(study)
    thread = study._storage.thread  # type: ignore[attr-defined]
    thread.held = True
    try:
        yield
    finally:
        thread.held = False


def refresh(study: optuna.Study) -> None:
    """Read the trials again, also while they are held."""
    super(ReadingStorage, study._storage)._read_trials_from_remote_storage(study._study_id)  # type: ignore[misc]
