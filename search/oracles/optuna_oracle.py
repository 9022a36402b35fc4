"""The oracle between Keras Tuner and Optuna."""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.hyperparameters import Fixed
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from search.oracles.distributions import distribution, to_drawn, to_value
from search.oracles.search_space import SpaceError, SpaceModel
from search.storages.attempts import hand_back, lineages, number_of
from search.storages.cached import held, refresh, write_held
from search.workers.heartbeat import claim, hand_back_dead

OBJECTIVE = "val_accuracy"
MAX_FAILURES = 3
"""Failed trials in a row, since the last that succeeded, after which a search stops."""
_COLLISIONS = 20
"""Repetitions drawn one after the other until a space counts as exhausted: keras_tuner's own number."""


class OptunaOracle(keras_tuner.Oracle):
    """A Keras Tuner oracle whose trials are those of an Optuna study.

    The study is the only state: what `create_trial` hands out, what `update_trial` and `end_trial` learn, and what a later or
    concurrent oracle on the same storage knows, is in it. So any number of processes may each hold one, without a chief.

    Args:
        study: With its sampler and pruner. Its direction is maximize.
        max_trials: Trials in all, whoever runs them; a trial that is interrupted and continued counts once.
        model: The space, declared anew with the drawn values of each trial.
        hyperparameters: All that the space declares.
        epochs: Most epochs of a trial; one that has had them all is not pruned any more.
        recipes: Hyperparameter values of the first trials.
        grid: Free numbers take the points of a grid.

    Attributes:
        stopped_because: Why no further trial is handed out, once that is so.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        max_trials: int,
        epochs: int,
        model: SpaceModel,
        hyperparameters: keras_tuner.HyperParameters,
        recipes: Iterable[Mapping[str, Any]] = (),
        grid: bool = False,
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_trials=max_trials,
            hyperparameters=hyperparameters,
        )
        self.verbose = 0
        self.study = study
        self.stopped_because: str | None = None
        self._started = datetime.datetime.now()
        self._model = model
        self.ongoing_trials: dict[str, Trial] = {}
        self._epochs = epochs
        self._grid = grid
        # What this process is running: Keras Tuner's trial id -> Optuna's trial.
        self._running: dict[str, optuna.Trial] = {}
        self._values: dict[str, dict[int, float]] = {}
        self._pruned: set[str] = set()
        self._lost: set[str] = set()
        self._enqueue(list(recipes)[:max_trials])

    # Handing out ------------------------------------------------------------------------------------------------------

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial: one that was handed back, a known recipe, or a new suggestion, RUNNING; or none, with status
        STOPPED (the search is over, see `stopped_because`) or IDLE (ask again: what is left is still in other hands)."""
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        self.tuner_ids.add(tuner_id)
        with held(self.study):
            hand_back_dead(self.study)
            trials = lineages(self.study)
            states = {trial.state for _, trial in trials}
            self.stopped_because = self._failed_in_a_row(trials)
            if (
                self.stopped_because is None
                and TrialState.WAITING not in states
                and len(trials) >= self.max_trials
            ):
                if TrialState.RUNNING in states:
                    return self._trial("", {}, TrialStatus.IDLE)
                self.stopped_because = f"all {self.max_trials} trials are done"
            found = None if self.stopped_because else self._ask()
        if found is not None:
            trial = self._trial(*found, TrialStatus.RUNNING)
            self.ongoing_trials[tuner_id] = self.trials[trial.trial_id] = trial
            return trial
        if self.stopped_because is None:
            return self._trial("", {}, TrialStatus.IDLE)
        self.tuner_ids.discard(tuner_id)
        return self._trial("", {}, TrialStatus.STOPPED)

    def _ask(self) -> tuple[str, dict[str, Any]] | None:
        for _ in range(_COLLISIONS):
            asked = self.study.ask()
            claim(self.study, asked)
            frozen = asked._cached_frozen_trial
            number = number_of(frozen)
            values = frozen.user_attrs.get("hyperparameters")
            if values is None:
                try:
                    values = self._suggest(asked)
                except SpaceError as error:  # for what was drawn; the next draw may be another matter
                    write_held(self.study, asked._trial_id, {"error": str(error)})
                    self._tell(asked, TrialState.FAIL)
                    refresh(self.study)
                    self.stopped_because = self._failed_in_a_row(lineages(self.study))
                    if self.stopped_because is not None:
                        return None
                    continue
                write_held(self.study, asked._trial_id, {"hyperparameters": values})
            refusal = self._refusal(asked, number, values)
            if refusal is None:
                # No two continuations have the same, so that a chief knows which of its workers speaks of one.
                trial_id = f"{number:04d}" if number == asked.number else f"{number:04d}.{asked.number}"
                self._running[trial_id] = asked
                self._values[trial_id] = dict(frozen.intermediate_values)
                return trial_id, dict(values)
            asked.set_user_attr("discarded", refusal)
            self._tell(asked, TrialState.FAIL)
            if refusal == "over the budget":
                return None
        self.stopped_because = (
            f"the space is exhausted: {_COLLISIONS} suggestions in a row had been tried before"
        )
        return None

    def _suggest(self, asked: optuna.Trial) -> dict[str, Any]:
        hp = _Drawing(lambda one: self._draw(asked, one))
        self._model.build(hp)
        return dict(hp.values)

    def _draw(self, asked: optuna.Trial, hp: Any) -> Any:
        if isinstance(hp, Fixed):
            return hp.value
        name, drawn_from = hp.name, distribution(hp, grid=self._grid)
        if isinstance(drawn_from, CategoricalDistribution):
            drawn = asked.suggest_categorical(name, drawn_from.choices)
        elif isinstance(drawn_from, IntDistribution):
            drawn = asked.suggest_int(name, drawn_from.low, drawn_from.high, log=drawn_from.log)
        else:
            drawn = asked.suggest_float(name, drawn_from.low, drawn_from.high, log=drawn_from.log)
        return to_value(hp, drawn, grid=self._grid)

    def _refusal(self, asked: optuna.Trial, number: int, values: Mapping[str, Any]) -> str | None:
        """Why the trial just asked for is not to be run. Any number of processes ask at once, so it is looked at only now, when
        the trial and its values are in the study. Of those over the budget the lowest numbers stay; of two alike at least one
        sees the other and gives way, and rarely both do."""
        refresh(self.study)
        trials = dict(lineages(self.study))
        if trials[number].number != asked.number:
            return "continued by another"
        if list(trials).index(number) >= self.max_trials:  # they are in the order of their numbers
            return "over the budget"
        if any(t.user_attrs.get("hyperparameters") == values for n, t in trials.items() if n != number):
            return "tried before"
        return None

    def _enqueue(self, recipes: list[Mapping[str, Any]]) -> None:
        for values in recipes:
            hp = self.hyperparameters.copy()
            hp.values = dict(values)
            params = {
                one.name: to_drawn(one, values[one.name], grid=self._grid)
                for one in hp.space
                if hp.is_active(one) and not isinstance(one, Fixed)
            }
            self.study.enqueue_trial(params, skip_if_exists=True)

    # Learning ---------------------------------------------------------------------------------------------------------

    def record(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Keep `values` with a running trial, for the report."""
        backend = self.study._storage.backend  # type: ignore[attr-defined]
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):  # lost; reporting will say so
            backend.write_trial(self._running[trial_id]._trial_id, values)

    @keras_tuner.synchronized
    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Report the objective of epoch `step` (from 1). The returned trial's status is STOPPED if it should end here."""
        trial, running = self.trials[trial_id], self._running[trial_id]
        value = float(metrics[OBJECTIVE])
        if step not in self._values[trial_id]:
            try:
                running.report(value, step)
            except optuna.exceptions.UpdateFinishedTrialError:
                self._lost.add(trial_id)
                trial.status = TrialStatus.STOPPED
                return trial
            self._values[trial_id][step] = value
        if step < self._epochs and running.should_prune():
            self._pruned.add(trial_id)
            trial.status = TrialStatus.STOPPED
        return trial

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Record how the trial ended: its best epoch's value, that it was pruned, or why it failed."""
        running = self._running.pop(trial.trial_id)
        values = [value for _, value in sorted(self._values.pop(trial.trial_id).items())]
        if trial.status != TrialStatus.COMPLETED or not values:
            # A worker that was held up for longer than the grace period finds its trial ended and in other hands.
            with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                running.set_user_attr("error", reason_of(trial.message or "the trial ended without an epoch"))
            self._tell(running, TrialState.FAIL)
            trial.status = TrialStatus.FAILED
        elif trial.trial_id in self._pruned:
            # Optuna takes the last reported value for a pruned trial.
            self._tell(running, TrialState.PRUNED, values[-1])
        else:
            self._tell(running, TrialState.COMPLETE, max(values))
        if values:
            trial.score = max(values)
        self._forget(trial)

    def _tell(self, running: optuna.Trial, state: TrialState, *values: float) -> None:
        # `study.tell` reads the trial twice more. What it also does, no sampler of the table needs.
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):  # see above
            self.study._storage.set_trial_state_values(running._trial_id, state, values or None)

    def number(self, trial_id: str) -> int:
        """The number, to the user, of a running trial."""
        return number_in(trial_id)

    def hand_back(self, trial: Trial) -> None:
        """Give up a running trial so that it is continued later, here or elsewhere."""
        running = self._running.pop(trial.trial_id, None)
        if running is not None and trial.trial_id not in self._lost:
            hand_back(self.study, running._trial_id)
        self._forget(trial)

    def epochs(self, trial_id: str) -> int:
        """The last epoch that a running trial has reported, here or before it came here; 0 if none."""
        return max(self._values[trial_id], default=0)

    def running(self) -> list[int]:
        """Optuna's ids of the trials that this process runs."""
        return [trial._trial_id for trial in list(self._running.values())]

    def lose(self, optuna_id: int) -> None:
        """Note that a running trial has been taken away from this process."""
        self._lost.update(name for name, t in list(self._running.items()) if t._trial_id == optuna_id)

    def is_lost(self, trial_id: str) -> bool:
        """Whether the trial is in other hands: this process had been held up for longer than the grace period."""
        return trial_id in self._lost

    def _forget(self, trial: Trial) -> None:
        self._lost.discard(trial.trial_id)
        self.ongoing_trials = {
            t: one for t, one in self.ongoing_trials.items() if one.trial_id != trial.trial_id
        }

    def _failed_in_a_row(self, trials: list[tuple[int, FrozenTrial]]) -> str | None:
        # Those of an earlier run may have had a cause that is gone.
        finished = sorted(
            (trial.datetime_complete, number)
            for number, (_, trial) in enumerate(trials)
            if trial.datetime_complete is not None and trial.datetime_complete >= self._started
        )
        last = [trials[number][1] for _, number in finished[-MAX_FAILURES:]]
        if len(last) == MAX_FAILURES and all(t.state == TrialState.FAIL for t in last):
            return f"{MAX_FAILURES} trials in a row failed, the last with: {last[-1].user_attrs.get('error', 'its worker died')}"
        return None

    # State ------------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Nothing: the study is the state."""

    def reload(self) -> None:
        """Nothing: the study is the state."""

    def _trial(self, trial_id: str, values: Mapping[str, Any], status: str) -> Trial:
        hp = self.hyperparameters.copy()
        hp.values = dict(values)
        return Trial(hyperparameters=hp, trial_id=trial_id, status=status)


class _Drawing(keras_tuner.HyperParameters):
    """Draws each hyperparameter the moment it is declared, so that the space function sees the drawn values of those before it,
    in conditional scopes and in plain Python `if`s alike."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        super().__init__()
        self._draw = draw

    def _register(self, hyperparameter: Any, overwrite: bool = False) -> Any:
        if self.is_active(hyperparameter):
            self.values[hyperparameter.name] = self._draw(hyperparameter)
        return super()._register(hyperparameter, overwrite)


def number_in(trial_id: str) -> int:
    """The number, to the user, in Keras Tuner's id of a trial."""
    return int(trial_id.partition(".")[0])


def reason_of(traceback_text: str) -> str:
    """The last line of a traceback: the error itself."""
    lines = [
        line for line in traceback_text.strip().splitlines() if line.strip() and not line.startswith(" ")
    ]
    reason = lines[-1] if lines else traceback_text.strip()
    logging.getLogger(__name__).debug("%s", traceback_text)
    return reason[:500]
