"""What Keras Tuner's chief and its workers lack: signs of life.

A worker that dies keeps its trial for ever, and the chief then never ends. So each worker beats from a thread, with an
`update_trial` without metrics, and the chief hands back the trials of those it has not heard for the grace period.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import grpc
import keras_tuner
import optuna
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.distribute.oracle_client import OracleClient

from search.oracles.optuna_oracle import OptunaOracle, number_in
from search.storages.attempts import hand_back_stale
from search.storages.staleness import Silence

_LOST = TrialStatus.INVALID
"""Status of a trial in the answer to a worker that has it no more."""


class ChiefOracle(OptunaOracle):
    """The oracle of the chief, which is asked by workers and notices when one of them is gone. Its arguments are those of
    `OptunaOracle`."""

    def __init__(self, study: optuna.Study, **options: Any) -> None:
        super().__init__(study, **options)
        self._beats: Counter[str] = Counter()  # tuner id -> how often it was heard
        self._silence = Silence(study._storage.backend.grace)  # type: ignore[attr-defined]

    # Keras Tuner's lock is never released after an exception, so none may leave these methods for a trial that is not known.

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        self._beats[tuner_id] += 1
        return super().create_trial(tuner_id)

    @keras_tuner.synchronized
    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """As in `OptunaOracle`; without metrics it is a sign of life. A trial that the caller has no more is INVALID."""
        tuner_id = self._tuner_of(trial_id)
        if tuner_id is None:
            return self._trial(trial_id, {}, _LOST)
        self._beats[tuner_id] += 1
        trial = super().update_trial(trial_id, metrics, step) if metrics else self.trials[trial_id]
        return self._trial(trial_id, {}, _LOST) if self.is_lost(trial_id) else trial

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        """As in `OptunaOracle`; one with status STOPPED has been given up by a worker that leaves, and is to be continued."""
        tuner_id = self._tuner_of(trial.trial_id)
        if tuner_id is None:
            return
        if trial.status == TrialStatus.STOPPED:
            self.tuner_ids.discard(tuner_id)  # the chief does not wait for it
            self.hand_back(trial)
        else:
            super().end_trial(trial)

    def running(self) -> list[int]:
        """Optuna's ids of the trials of those workers that are still heard; the others' are handed back."""
        if silent := self._forget_silent():
            hand_back_stale(self.study, silent)
        return super().running()

    @keras_tuner.synchronized
    def _forget_silent(self) -> list[int]:
        """Forget the workers that have gone silent; return Optuna's ids of their trials."""
        found = []
        for tuner_id in self._silence.look({tuner_id: self._beats[tuner_id] for tuner_id in self.tuner_ids}):
            logging.getLogger(__name__).warning("worker %s has gone silent and is given up", tuner_id)
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and trial.trial_id in self._running:
                found.append(self._running.pop(trial.trial_id)._trial_id)
        return found

    def _tuner_of(self, trial_id: str) -> str | None:
        return next((t for t, one in self.ongoing_trials.items() if one.trial_id == trial_id), None)


class ChiefClient(OracleClient):
    """In a worker, what stands for the chief's oracle. It beats for the trial that the worker runs.

    Args:
        oracle: This process's own, which Keras Tuner asks for a few constants.
    """

    stopped_because = None

    def __init__(self, oracle: keras_tuner.Oracle) -> None:
        super().__init__(oracle)
        self.ongoing_trials: dict[str, Trial] = {}
        self._lost: set[str] = set()
        if isinstance(oracle, OptunaOracle):  # Keras Tuner's own know no beat
            threading.Thread(target=self._beat, args=(oracle.study,), name="heartbeat", daemon=True).start()

    def create_trial(self, tuner_id: str) -> Trial:
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self.ongoing_trials[tuner_id] = trial
        return trial

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        trial = super().update_trial(trial_id, metrics, step)
        if trial.status == _LOST:
            self._lost.add(trial_id)
            trial.status = TrialStatus.STOPPED
        return trial

    def end_trial(self, trial: Trial) -> None:
        self.ongoing_trials.clear()
        super().end_trial(trial)

    def hand_back(self, trial: Trial) -> None:
        """Give up the running trial so that it is continued by another worker, and leave."""
        trial.status = TrialStatus.STOPPED
        self.end_trial(trial)

    def record(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Nothing: Keras Tuner's protocol has no room for it."""

    def number(self, trial_id: str) -> int:
        """The number, to the user, of a running trial."""
        return number_in(trial_id)

    def is_lost(self, trial_id: str) -> bool:
        """Whether the trial is in other hands: this process had been held up for longer than the grace period."""
        return trial_id in self._lost

    def _beat(self, study: optuna.Study) -> None:
        while True:
            time.sleep(study._storage.get_heartbeat_interval())  # type: ignore[attr-defined]
            for trial in list(self.ongoing_trials.values()):
                try:
                    self.update_trial(trial.trial_id, {})
                except grpc.RpcError as error:
                    logging.getLogger(__name__).warning("the chief was not reached: %s", error)
