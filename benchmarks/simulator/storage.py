"""A study in memory, with what the oracle asks of its storage."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial


class MemoryStorage(optuna.storages.InMemoryStorage):
    """Optuna's storage of one process, in the place of the database's."""

    retries = 0

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.local()
        self.settled: dict[int, Any] = {}

    @property
    def backend(self) -> MemoryStorage:
        return self

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        return []

    def read_changes(self, study_id: int) -> list[FrozenTrial]:
        return self.get_all_trials(study_id, deepcopy=False)

    def write_trial(
        self,
        trial_id: int,
        attributes: Mapping[str, Any],
        parameters: Sequence[Any] = (),
        beat: bool = False,
    ) -> None:
        for name, value in attributes.items():
            self.set_trial_user_attr(trial_id, name, value)
