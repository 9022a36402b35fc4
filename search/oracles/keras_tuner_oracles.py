"""Keras Tuner's own oracles, with every trial mirrored into the Optuna study, so that status and reports read one record.

Keras Tuner keeps what it needs to continue in its own files, under `runs/STUDY/keras_tuner/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.trial import TrialState

from search.oracles.optuna_oracle import OBJECTIVE, reason_of
from search.storages.attempts import hand_back, number_of
from search.workers.heartbeat import claim, hand_back_orphans


def mirrored(oracle: type[keras_tuner.Oracle]) -> type[keras_tuner.Oracle]:
    """Return a subclass of Keras Tuner's `oracle` that also takes `study` and `recipes`, the values of its first trials."""

    class Mirrored(oracle):
        def __init__(
            self, *, study: optuna.Study, recipes: Iterable[Mapping[str, Any]] = (), **options: Any
        ) -> None:
            super().__init__(objective=keras_tuner.Objective(OBJECTIVE, "max"), **options)
            self.verbose = 0
            self.study = study
            self.stopped_because: str | None = None
            self._recipes = [dict(values) for values in recipes]
            self._mirrors: dict[str, optuna.Trial] = {}

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            # The trial's number says which recipe is due, so a restarted oracle goes on where it was.
            index = len(self.start_order)
            if index < len(self._recipes):
                return {"status": TrialStatus.RUNNING, "values": dict(self._recipes[index])}
            return super().populate_space(trial_id)

        @keras_tuner.synchronized
        def create_trial(self, tuner_id: str) -> Trial:
            trial = super().create_trial(tuner_id)
            if trial.status == TrialStatus.RUNNING:
                self._mirror(trial)
            elif trial.status == TrialStatus.STOPPED:
                self.stopped_because = self.stopped_because or "the oracle has no further trial"
            return trial

        def _mirror(self, trial: Trial) -> None:
            # A trial that Keras Tuner retries after a restart is, in the study, an orphan that was queued again.
            hand_back_orphans(self.study)
            self._mirrors[trial.trial_id] = asked = self.study.ask()
            claim(self.study, asked)
            # Without what Keras Tuner's Hyperband keeps there of its own.
            values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
            asked.set_user_attr("hyperparameters", values)

        def number(self, trial_id: str) -> int:
            """The number, to the user, of a running trial."""
            return number_of(self.study.get_trials(deepcopy=False)[self._mirrors[trial_id].number])

        def record(self, trial_id: str, values: Mapping[str, Any]) -> None:
            """Keep `values` with a running trial, for the report."""
            for name, value in values.items():
                self._mirrors[trial_id].set_user_attr(name, value)

        @keras_tuner.synchronized
        def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
            self._mirrors[trial_id].report(float(metrics[OBJECTIVE]), step)
            return super().update_trial(trial_id, metrics, step)

        @keras_tuner.synchronized
        def end_trial(self, trial: Trial) -> None:
            mirror = self._mirrors.pop(trial.trial_id)
            values = self.study.get_trials(deepcopy=False)[mirror.number].intermediate_values.values()
            if trial.status == TrialStatus.COMPLETED and values:
                self.study.tell(mirror, max(values))
            else:
                mirror.set_user_attr(
                    "error", reason_of(trial.message or "the trial ended without a finished epoch")
                )
                self.study.tell(mirror, state=TrialState.FAIL)
            try:
                super().end_trial(trial)
            except RuntimeError as error:  # Keras Tuner's word for too many failures in a row
                self.stopped_because = " ".join(str(error).split())[:300]
                raise keras_tuner.errors.FatalError(self.stopped_because) from error

        def hand_back(self, trial: Trial) -> None:
            """Leave the trial to the next start: Keras Tuner then retries what was under way."""
            mirror = self._mirrors.pop(trial.trial_id, None)
            if mirror is not None:
                hand_back(self.study, mirror._trial_id)

        def running(self) -> list[int]:
            """Optuna's ids of the trials that this process runs."""
            return [mirror._trial_id for mirror in list(self._mirrors.values())]

        def lose(self, optuna_id: int) -> None:
            """Nothing: there is no other worker that could have taken the trial."""

        def is_lost(self, trial_id: str) -> bool:
            return False

    Mirrored.__name__ = Mirrored.__qualname__ = f"Mirrored{oracle.__name__}"
    return Mirrored
