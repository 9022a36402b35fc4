"""The oracle between Keras Tuner and Optuna."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from search.oracles.limits import Limits
from search.oracles.outcomes import FINAL, STATUS, Running, measure, number_in, outcome, retell
from search.oracles.protocol import OneProcess, Worker
from search.oracles.pruners import Decision, RestingPruner, decide
from search.oracles.sampling import Declare, Sampling, register
from search.oracles.space.drawing import describe
from search.oracles.trial_queue import Taken, TrialQueue
from search.storages.registry import OBJECTIVE, memory, open_study
from search.storages.trial_life import State, counted, state_of
from search.storages.trial_store import Claim, TrialStore


class OptunaOracle(keras_tuner.Oracle):
    """A Keras Tuner oracle whose trials are those of an Optuna study.

    The study is the only state: what `create_trial` hands out, what `update_trial` and `end_trial` learn, and what a later or
    concurrent oracle on the same storage knows, is in it. So any number of processes may each hold one, without a chief.

    Args:
        store: The study's trials; None: of a study in memory.
        sampler: Random seed -> the Optuna sampler that draws one trial; None: TPE.
        pruner: Optuna's, or a `RestingPruner`; None: no trial ends early.
        declare: Declares the space anew with the drawn values of each trial; None: the space is what `hyperparameters` and the
            models that were built have declared.
        recipes: Hyperparameter values of the first trials.
        grid: Whether free numbers take the points of a grid.
        worker: The process that runs the trials.
        limits: How many epochs a trial has at most, after which it is not pruned any more, and what ends the search beside
            max_trials; None: neither is known.
        options: Those of `keras_tuner.Oracle`: objective (here val_accuracy, if not given), max_trials, hyperparameters,
            allow_new_entries, tune_new_entries, seed, max_retries_per_trial, max_consecutive_failed_trials.

    Attributes:
        stopped_because: Why no further trial is handed out, once that is so.

    Example:
        >>> class Parabola(keras_tuner.Tuner):
        ...     def run_trial(self, trial, **options):
        ...         return {"val_loss": trial.hyperparameters.Float("x", -1, 1) ** 2}
        >>> oracle = OptunaOracle(objective="val_loss", max_trials=20, seed=1)
        >>> Parabola(oracle, directory="runs", project_name="mine").search(verbose=0)
        >>> abs(oracle.get_best_trials()[0].hyperparameters.get("x")) < 0.1
        True
    """

    def __init__(
        self,
        store: TrialStore | None = None,
        *,
        sampler: Callable[[int], BaseSampler] | None = None,
        pruner: BasePruner | None = None,
        declare: Declare | None = None,
        recipes: Iterable[Mapping[str, Any]] = (),
        grid: bool = False,
        worker: Worker | None = None,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        seed = options.get("seed")
        super().__init__(**{"objective": keras_tuner.Objective(OBJECTIVE, "max"), **options})
        if seed is not None:
            self.seed = seed  # to Keras Tuner a seed of 0 is none
        direction = "maximize" if self.objective.direction == "max" else "minimize"
        self.store = store or open_study(
            memory(), "in memory", direction=direction, metric=self.objective.name
        )
        self.stopped_because: str | None = None
        self._pruner, self._declares_itself, self._stored_space = pruner, declare is not None, 0
        self._epochs = None if limits is None else limits.epochs
        self._running: dict[str, Running] = {}
        self._sampling = Sampling(
            sampler or (lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
            pruner,
            declare or (lambda hp: register(hp, self.hyperparameters)),
            [describe(hp) for hp in self.hyperparameters.space],
            seed=self.seed,
            study=self.store.study,
            grid=grid,
        )
        self._queue = TrialQueue(
            self.store,
            self._sampling,
            pruner,
            worker or OneProcess(),
            max_trials=self.max_trials,
            max_failures=self.max_consecutive_failed_trials,
            limits=limits,
        )
        self._queue.queue(self.hyperparameters, recipes)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial: one that was released, a known recipe, one that is promoted, or a new suggestion, RUNNING; or
        none, with status STOPPED (the search is over, see `stopped_because`) or IDLE (ask again: what is left is in other
        hands)."""
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        self.tuner_ids.add(tuner_id)
        taken = self._queue.take()
        self.stopped_because = self._queue.over
        if taken is not None:
            trial = self._begin(taken)
            self.ongoing_trials[tuner_id] = self.trials[trial.trial_id] = trial
            self.start_order.append(trial.trial_id)
            if self.verbose:
                self._look()  # Keras Tuner counts the trials that are known here
                self._display.on_trial_begin(trial)
            return trial
        if self.stopped_because is None:
            return self._trial("", {}, TrialStatus.IDLE)
        self.tuner_ids.discard(tuner_id)
        return self._trial("", {}, TrialStatus.STOPPED)

    def _begin(self, taken: Taken) -> Trial:
        trial = self._trial(self.trial_id(taken.claim), taken.values, TrialStatus.RUNNING)
        self._running[trial.trial_id] = Running(taken.claim, dict(taken.reported))
        retell(trial, self.objective, taken.reported)
        return trial

    def trial_id(self, claim: Claim) -> str:
        """Return Keras Tuner's id of a trial."""
        return f"{claim.number:04d}"

    def annotate(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Keep `values` with a running trial, for the report."""
        self.store.annotate(self._running[trial_id].claim, values)

    @keras_tuner.synchronized
    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Report the metrics of epoch `step`. The returned trial's status is STOPPED if it should end here."""
        trial, running = self.trials[trial_id], self._running[trial_id]
        # Private, Keras Tuner 1.4.8: the public way to it is its own `update_trial`, which also writes a file of the trial.
        self._check_objective_found(metrics)
        value = float(self.objective.get_value(metrics))
        measure(trial, self.objective, {**metrics, self.objective.name: value}, step)
        known = step in running.values
        if not known:
            if not self.store.report(running.claim, step, value):
                running.lost = True
                trial.status = TrialStatus.STOPPED
                return trial
            running.values[step] = value
        # A trial that is promoted tells of its earlier epochs again: it has rested there.
        rested = known and isinstance(self._pruner, RestingPruner)
        if not rested and (self._epochs is None or step < self._epochs):
            number = running.claim.number
            running.decision = decide(self._pruner, self.store.study, lambda: self.store.get(number))
            if running.decision != Decision.CONTINUE:
                trial.status = TrialStatus.STOPPED
        return trial

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Record how the trial ended: with its best epoch's value, at a rung, pruned, or why it failed.

        Raises:
            FatalRuntimeError: Too many trials in a row have failed.
        """
        running, known = self._running.pop(trial.trial_id), self.trials[trial.trial_id]
        known.hyperparameters = trial.hyperparameters
        known.status, known.message = trial.status, trial.message
        if not self._declares_itself:
            self._learn_space(running.claim, trial.hyperparameters)
        if known.status == TrialStatus.COMPLETED and running.values:
            self.score_trial(known)
        number = running.claim.number
        state, value, attributes = outcome(
            known,
            running,
            lambda: self.store.get(number).user_attrs.get("failures", 0),
            self.max_retries_per_trial,
        )
        if not running.lost:
            noted = self._sampling.learn(number, self.store.get, state.stored, value)
            self.store.leave(
                running.claim, state, value=value, attributes=attributes, system_attributes=noted
            )
        trial.status = known.status = STATUS.get(state, TrialStatus.INVALID)
        trial.score, trial.best_step = known.score, known.best_step
        self._forget(trial.trial_id)
        if state != State.RELEASED:
            self.end_order.append(trial.trial_id)
        self._display.on_trial_end(known)
        if state == State.FAILED:
            self._check_failures()

    def _learn_space(self, claim: Claim, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Take over what has been declared while a model was built."""
        self.update_space(hyperparameters)
        values = self._sampling.nearest(hyperparameters, hyperparameters.values)
        if self.store.owns(claim):
            self.store.complete_parameters(claim, values.values, values.distributions)
        self.save()

    def _check_failures(self) -> None:
        because = self._queue.failed_in_a_row(counted(self.store.read()))
        if because is not None:
            self.stopped_because = because
            raise keras_tuner.errors.FatalRuntimeError(
                f"Number of consecutive failures exceeded the limit of {self.max_consecutive_failed_trials}.\n{because}"
            )

    def release(self, trial: Trial) -> None:
        """Give up a running trial so that it is continued later, here or elsewhere."""
        running = self._running.pop(trial.trial_id, None)
        if running is not None and not running.lost:
            self.store.leave(running.claim, State.RELEASED)
        self._forget(trial.trial_id)

    def number(self, trial_id: str) -> int:
        """The number, to the user, of a running trial."""
        return number_in(trial_id)

    def epochs(self, trial_id: str) -> int:
        """The last epoch that a running trial has reported, here or before it came here; 0 if none."""
        return max(self._running[trial_id].values, default=0)

    def promoted_from(self, trial: Trial) -> int | None:
        """None: a trial that is promoted goes on under its own number."""
        return None

    def claims(self) -> list[Claim]:
        """The trials that this process runs."""
        return [running.claim for running in list(self._running.values())]

    def lose(self, claim: Claim) -> None:
        """Note that a running trial has been taken away from this process."""
        for running in list(self._running.values()):
            running.lost = running.lost or running.claim == claim

    def is_lost(self, trial_id: str) -> bool:
        """Whether the trial is in other hands: this process had been suspended for longer than the grace period."""
        return trial_id in self._running and self._running[trial_id].lost

    def is_resting(self, trial_id: str) -> bool:
        """Whether a running trial is to rest at the rung where it is."""
        return trial_id in self._running and self._running[trial_id].decision == Decision.REST

    def _forget(self, trial_id: str) -> None:
        for tuner_id in [one for one, trial in self.ongoing_trials.items() if trial.trial_id == trial_id]:
            del self.ongoing_trials[tuner_id]

    def get_trial(self, trial_id: str) -> Trial:
        """Return the trial of that id, whoever runs it."""
        if trial_id not in self.trials:
            self._look()
        return self.trials[trial_id]

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Return the best trials of the study, whoever ran them."""
        self._look()
        return super().get_best_trials(num_trials)

    def save(self) -> None:
        """Keep what the models that were built have declared; all else is in the study."""
        if not self._declares_itself and len(self.hyperparameters.space) != self._stored_space:
            self._stored_space = len(self.hyperparameters.space)
            self.store.study.set_user_attr("hyperparameters", self.hyperparameters.get_config())

    def reload(self) -> None:
        """Take over what the study knows. What an oracle before this one has left running is to be run again."""
        self._queue.release_left([claim.number for claim in self.claims()])
        self._look()

    def _look(self) -> None:
        declared = self.store.study.user_attrs.get("hyperparameters")
        if declared is not None:
            self.hyperparameters.merge(keras_tuner.HyperParameters.from_config(declared), overwrite=False)
        final = {trial_id for trial_id, trial in self.trials.items() if trial.status in FINAL}
        for row in counted(self.store.read()):
            trial_id = self.trial_id(Claim(row.number, "", 1))
            if trial_id not in final and trial_id not in self._running:
                self.trials[trial_id] = self._trial_of(row, trial_id)

    def _trial_of(self, row: FrozenTrial, trial_id: str) -> Trial:
        trial = self._trial(trial_id, row.params, STATUS.get(state_of(row), TrialStatus.RUNNING))
        trial.message = row.user_attrs.get("error")
        retell(trial, self.objective, row.intermediate_values)
        if row.intermediate_values:
            self.score_trial(trial)
        return trial

    def _trial(self, trial_id: str, values: Mapping[str, Any], status: str) -> Trial:
        hp = self.hyperparameters.copy()
        hp.values = dict(values)
        return Trial(hyperparameters=hp, trial_id=trial_id, status=status)
