"""What Keras Tuner's chief and its workers lack: signs of life.

A worker that dies keeps its trial for ever, and the chief then never ends. So each worker beats from a thread, with an
`update_trial` without metrics, and the chief releases the trials of those it has not heard for the grace period.
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
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.outcomes import number_in
from search.storages.trial_store import Claim
from search.workers.heartbeat import interval
from search.workers.staleness import Staleness

_LOST = TrialStatus.INVALID
"""Status of a trial in the answer to a worker that has it no more."""


class ChiefOracle(OptunaOracle):
    """The oracle of the chief, which is asked by workers and notices when one of them is gone. Its arguments are those of
    `OptunaOracle`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._beats: Counter[str] = Counter()  # tuner id -> how often it was heard
        self._staleness = Staleness(self.store.storage.grace)

    def trial_id(self, claim: Claim) -> str:
        """As in `OptunaOracle`, another at each attempt: so the chief knows which of its workers speaks of a trial."""
        first = super().trial_id(claim)
        return first if claim.attempt == 1 else f"{first}.{claim.attempt}"

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
            self.release(trial)
            return
        try:
            super().end_trial(trial)
        except keras_tuner.errors.FatalRuntimeError:
            # Whoever asks for the next trial learns that there is none.
            logging.getLogger(__name__).warning("%s", self.stopped_because)

    def claims(self) -> list[Claim]:
        """The trials of those workers that are still heard; the others' are released."""
        for claim in self._forget_lost():
            self.store.release_lost(self.store.get(claim.number))
        return super().claims()

    @keras_tuner.synchronized
    def _forget_lost(self) -> list[Claim]:
        """Forget the workers that are not heard any more; return their trials."""
        found = []
        beats = {tuner_id: self._beats[tuner_id] for tuner_id in self.tuner_ids}
        for tuner_id in self._staleness.look(beats):
            logging.getLogger(__name__).warning("worker %s is not heard any more and is given up", tuner_id)
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and trial.trial_id in self._running:
                found.append(self._running.pop(trial.trial_id).claim)
        return found

    def _tuner_of(self, trial_id: str) -> str | None:
        return next((t for t, one in self.ongoing_trials.items() if one.trial_id == trial_id), None)


class ChiefClient:
    """In a worker, what stands for the chief's oracle. It beats for the trial that the worker runs.

    Args:
        client: Keras Tuner's own client of the chief.
        grace: Of the chief; None: it knows no heartbeat, as with Keras Tuner's own oracles.
    """

    stopped_because: str | None = None

    def __init__(self, client: Any, grace: float | None) -> None:
        self._client = client
        self.ongoing_trials: dict[str, Trial] = {}
        self._lost: set[str] = set()
        self._stopped: set[str] = set()
        self._reported: dict[str, int] = {}
        if grace is not None:
            threading.Thread(target=self._beat, args=(grace,), name="heartbeat", daemon=True).start()

    def __getattr__(self, name: str) -> Any:
        """Return what else Keras Tuner asks its client for."""
        return getattr(self._client, name)

    def create_trial(self, tuner_id: str) -> Trial:
        trial = self._client.create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self.ongoing_trials[tuner_id] = trial
            steps = [
                observation.step
                for history in trial.metrics.metrics.values()
                for observation in history.get_history()
            ]
            self._reported[trial.trial_id] = max(steps, default=0)
        return trial

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        trial = self._client.update_trial(trial_id, metrics, step)
        if trial.status == _LOST:
            self._lost.add(trial_id)
            trial.status = TrialStatus.STOPPED
        elif trial.status == TrialStatus.STOPPED:
            self._stopped.add(trial_id)
        return trial

    def end_trial(self, trial: Trial) -> None:
        self.ongoing_trials.clear()
        self._client.end_trial(trial)

    def release(self, trial: Trial) -> None:
        """Give up the running trial so that it is continued by another worker, and leave."""
        trial.status = TrialStatus.STOPPED
        self.end_trial(trial)

    def annotate(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Nothing: Keras Tuner's protocol has no room for it."""

    def number(self, trial_id: str) -> int:
        """The number, to the user, of a running trial."""
        return number_in(trial_id)

    def epochs(self, trial_id: str) -> int:
        """The last epoch that a running trial had reported when it came here; 0 if none."""
        return self._reported.get(trial_id, 0)

    def promoted_from(self, trial: Trial) -> int | None:
        """None: files of another trial are another worker's."""
        return None

    def is_lost(self, trial_id: str) -> bool:
        """Whether the trial is in other hands: this process had been suspended for longer than the grace period."""
        return trial_id in self._lost

    def is_resting(self, trial_id: str) -> bool:
        """Whether the checkpoint of a trial that was told to end has to stay; the protocol does not tell which of them rest."""
        return trial_id in self._stopped

    def _beat(self, grace: float) -> None:
        while True:
            time.sleep(interval(grace))
            for trial in list(self.ongoing_trials.values()):
                try:
                    self.update_trial(trial.trial_id, {})
                except grpc.RpcError as error:
                    logging.getLogger(__name__).warning("the chief was not reached: %s", error)
