"""Keras Tuner's own oracles, each of whose trials is also one of the Optuna study, so that status and reports read one record.

Keras Tuner keeps what it needs to continue in its own files, under `runs/STUDY/keras_tuner/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from search.oracles.limits import Limits
from search.oracles.outcomes import reason_of
from search.oracles.protocol import OneProcess, Worker
from search.oracles.space.drawing import describe
from search.storages.registry import OBJECTIVE
from search.storages.trial_life import KNOWN_RECIPE, SOURCE, State, counted, state_of
from search.storages.trial_store import Claim, TrialStore

_ID = "keras_tuner_trial"
"""User attribute of a trial of the study: Keras Tuner's id of it."""


class RecordedOracle(keras_tuner.Oracle):
    """What makes an oracle of Keras Tuner's, which stands behind it among the bases, keep its trials in a study.

    Args:
        store: The study's trials.
        recipes: The values of its first trials.
        worker: The process that runs them.
        limits: What ends the search.
        options: Of Keras Tuner's oracle.
    """

    def __init__(
        self,
        *,
        store: TrialStore,
        recipes: Iterable[Mapping[str, Any]] = (),
        worker: Worker | None = None,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**{"objective": keras_tuner.Objective(OBJECTIVE, "max"), **options})
        self.verbose = 0
        self.store, self.worker = store, worker or OneProcess()
        self.stopped_because: str | None = None
        self._limits = limits
        self._recipes = [dict(values) for values in recipes]
        self._claims: dict[str, Claim] = {}

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        # The trial's number says which recipe is due, so a restarted oracle goes on where it was.
        index = len(self.start_order)
        if index < len(self._recipes):
            return {"status": TrialStatus.RUNNING, "values": dict(self._recipes[index])}
        return super().populate_space(trial_id)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        reached = self._limits and self._limits.reached(counted(self.store.read()))
        if reached:
            self.stopped_because = reached
            return Trial(self.get_space(), trial_id="", status=TrialStatus.STOPPED)
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self._claims[trial.trial_id] = self._claim(trial)
        elif trial.status == TrialStatus.STOPPED:
            self.stopped_because = self.stopped_because or "the oracle has no further trial"
        return trial

    def _claim(self, trial: Trial) -> Claim:
        # Without what Keras Tuner's Hyperband keeps there of its own.
        values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
        with self.store.lock():
            for row in self.store.read():
                if state_of(row) == State.RUNNING and self.worker.is_dead(row.user_attrs.get("worker")):
                    self.store.release_lost(row)
            # A trial that Keras Tuner tries again after a restart is, in the study, one that was released.
            for row in self.store.read():
                if state_of(row) == State.RELEASED and row.user_attrs.get(_ID) == trial.trial_id:
                    claim = self.store.claim(row, self.worker.name)
                    if claim is not None:
                        return claim
            described = {hp.name: describe(hp) for hp in trial.hyperparameters.space}
            distributions = {name: described[name].distribution() for name in values}
            claim = self.store.create(State.RUNNING, values, distributions, worker=self.worker.name)
            known = {SOURCE: KNOWN_RECIPE} if values in self._recipes else {}
            self.store.annotate(claim, {_ID: trial.trial_id, **known})
            return claim

    def number(self, trial_id: str) -> int:
        """The number, to the user, of a running trial."""
        return self._claims[trial_id].number

    def promoted_from(self, trial: Trial) -> int | None:
        """The number of the trial of fewer epochs that `trial` goes on from, where there is one (Hyperband)."""
        before = trial.hyperparameters.values.get("tuner/trial_id")
        return next((row.number for row in self.store.read() if row.user_attrs.get(_ID) == before), None)

    def epochs(self, trial_id: str) -> int:
        """0: a trial of Keras Tuner's own oracles stays where its checkpoint is."""
        return 0

    def annotate(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Keep `values` with a running trial, for the report."""
        self.store.annotate(self._claims[trial_id], values)

    @keras_tuner.synchronized
    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        self.store.report(self._claims[trial_id], step, float(metrics[self.objective.name]))
        return super().update_trial(trial_id, metrics, step)

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        claim = self._claims.pop(trial.trial_id)
        values = self.store.get(claim.number).intermediate_values.values()
        if trial.status == TrialStatus.COMPLETED and values:
            best = max if self.objective.direction == "max" else min
            self.store.leave(claim, State.COMPLETE, value=best(values))
        else:
            error = reason_of(trial.message or "the trial ended without a finished epoch")
            self.store.leave(claim, State.FAILED, attributes={"error": error})
        try:
            super().end_trial(trial)
        except RuntimeError as error:  # Keras Tuner's word for too many failures in a row
            self.stopped_because = " ".join(str(error).split())[:300]
            raise keras_tuner.errors.FatalError(self.stopped_because) from error

    def release(self, trial: Trial) -> None:
        """Leave the trial to the next start: Keras Tuner then tries again what was under way."""
        claim = self._claims.pop(trial.trial_id, None)
        if claim is not None:
            self.store.leave(claim, State.RELEASED)

    # Private, Keras Tuner 1.4.8: where an oracle's files are, and how a trial's is written. The public `save` and `reload` take
    # no place, and what they write in place is damaged by a process that ends in the middle.

    def save(self) -> None:
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        write_json(Path(self._get_trial_dir(trial.trial_id), "trial.json"), trial.get_state())

    def reload(self) -> None:
        # Keras Tuner's own takes brackets in the path for a pattern, and a damaged file for an error of the program.
        folder = Path(self._project_dir)
        try:
            for path in sorted(folder.glob("trial_*/trial.json")):
                trial = Trial.load(str(path))
                self.trials[trial.trial_id] = trial
            self.set_state(json.loads(Path(self._get_oracle_fname()).read_text(encoding="utf-8")))
        except Exception as error:
            raise InputError(
                f"{folder}: expected the state of the oracle as Keras Tuner keeps it, found damaged files "
                f"({type(error).__name__}: {error}); remove the folder, and the oracle begins again"
            ) from error

    def claims(self) -> list[Claim]:
        """The trials that this process runs."""
        return list(self._claims.values())

    def lose(self, claim: Claim) -> None:
        """Nothing: there is no other worker that could have taken the trial."""

    def is_lost(self, trial_id: str) -> bool:
        return False

    def is_resting(self, trial_id: str) -> bool:
        """Whether another trial may go on from this one (Hyperband), so that its checkpoint has to stay."""
        values = self.trials[trial_id].hyperparameters.values
        return values.get("tuner/epochs", 0) < getattr(self, "max_epochs", 0)


def recorded(oracle: type[keras_tuner.Oracle]) -> type[RecordedOracle]:
    """Return Keras Tuner's `oracle` with its trials kept in a study.

    Example:
        >>> from search.storages.registry import memory, open_study
        >>> kind = recorded(keras_tuner.oracles.GridSearchOracle)
        >>> oracle = kind(store=open_study(memory(), "grid"), objective="val_loss", max_trials=20)
        >>> isinstance(oracle, keras_tuner.oracles.GridSearchOracle)
        True
    """
    return type(f"Recorded{oracle.__name__}", (RecordedOracle, oracle), {})
