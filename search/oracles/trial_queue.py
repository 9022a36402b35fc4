"""Which trial comes next: one that was released, one that is queued, one that is promoted, or a new one."""

from __future__ import annotations

import datetime
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras_tuner
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from search.oracles.limits import Limits
from search.oracles.protocol import Worker
from search.oracles.pruners import RestingPruner
from search.oracles.sampling import Draw, Sampling, key
from search.storages.trial_life import KNOWN_RECIPE, SOURCE, State, counted, state_of
from search.storages.trial_store import Claim, TrialStore

_DRAWS, _RANDOM_DRAWS = 5, 20
"""Draws of the sampler, then random ones, that may repeat what was tried until the space is gone through for what was not."""


@dataclass(frozen=True)
class Taken:
    """A trial that this process has got.

    Args:
        claim: That it is this process's.
        values: Its hyperparameters.
        reported: Epoch -> objective, as far as it came before.
    """

    claim: Claim
    values: Mapping[str, Any]
    reported: Mapping[int, float]


class TrialQueue:
    """The trials of a study that are still to be run, for any number of processes that ask at once.

    Args:
        store: The study's trials.
        sampling: Draws new ones.
        pruner: Asked which trial is promoted, if it is a `RestingPruner`.
        worker: The process that asks.
        max_trials: Trials in all, whoever runs them; None: without end.
        max_failures: Failed trials in a row, since this process began, after which there are no more.
        limits: What else ends the search.

    Attributes:
        over: Why there is no further trial, once that is so.
    """

    def __init__(
        self,
        store: TrialStore,
        sampling: Sampling,
        pruner: BasePruner | None,
        worker: Worker,
        *,
        max_trials: int | None,
        max_failures: int,
        limits: Limits | None = None,
    ) -> None:
        self._store, self._sampling, self._pruner, self._worker = store, sampling, pruner, worker
        self._most, self._max_failures = max_trials or math.inf, max_failures
        self._limits = limits
        self._began = datetime.datetime.now()
        self._tried: dict[int, frozenset[tuple[str, Any]]] = {}
        self._refused = False
        self.over: str | None = None

    def queue(
        self, hyperparameters: keras_tuner.HyperParameters, recipes: Iterable[Mapping[str, Any]]
    ) -> None:
        """Queue known configurations that the study has not."""
        wanted = [self._sampling.nearest(hyperparameters, values) for values in recipes]
        if not wanted:
            return
        with self._store.lock():
            rows = counted(self._store.read())
            known = {key(trial.params) for trial in rows}
            for recipe in wanted:
                if key(recipe.values) not in known and len(known) < self._most:
                    known.add(key(recipe.values))
                    self._store.create(
                        State.QUEUED,
                        recipe.values,
                        recipe.distributions,
                        attributes={SOURCE: KNOWN_RECIPE},
                    )

    def release_left(self, running: Sequence[int]) -> None:
        """Release what a worker of this name has left running: all but the trials of the numbers in `running`."""
        for trial in self._store.read():
            left = trial.state == TrialState.RUNNING and trial.number not in running
            if left and trial.user_attrs.get("worker") == self._worker.name:
                self._store.release_lost(trial)

    def take(self) -> Taken | None:
        """Take the next trial. None: there is none now, or, as `over` then says, no more."""
        with self._store.lock() as locked:
            rows = self._store.read()
            dead = [
                trial
                for trial in rows
                if trial.state == TrialState.RUNNING and self._worker.is_dead(trial.user_attrs.get("worker"))
            ]
            if any([self._store.release_lost(trial) for trial in dead]):
                rows = self._store.read()
            return self._next(rows, locked)

    def _next(self, rows: Sequence[FrozenTrial], locked: bool) -> Taken | None:
        trials = counted(rows)
        self.over = self.failed_in_a_row(trials) or (self._limits and self._limits.reached(trials)) or None
        if self.over is not None:
            return None
        room = len(trials) < self._most
        taken = self._waiting(trials) or self._promoted(trials, room)
        if taken is not None:
            return taken
        because = self._all_done()
        if room:
            new = self._new(rows, locked)
            if isinstance(new, Taken):
                return new
            because = new
            rows = self._store.read()  # others may have begun a trial meanwhile
        if not any(trial.state == TrialState.RUNNING for trial in rows):
            self.over = because
        return None

    def _waiting(self, trials: Sequence[FrozenTrial]) -> Taken | None:
        waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
        for wanted in (State.RELEASED, State.QUEUED):
            for trial in waiting:
                if state_of(trial) == wanted:
                    claim = self._store.claim(trial, self._worker.name)
                    if claim is None:
                        continue
                    if wanted == State.QUEUED and self._is_known(trial, trials):
                        self._store.leave(claim, State.SUPERSEDED)
                    else:
                        values = self._completed(trial, claim, trials)
                        return Taken(claim, values, trial.intermediate_values)
        return None

    def _is_known(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
        """Whether an earlier trial is the same: two workers that begin a study where there is no lock queue the same recipes."""
        return any(one.number < trial.number and one.params == trial.params != {} for one in trials)

    def _completed(
        self, trial: FrozenTrial, claim: Claim, trials: Sequence[FrozenTrial]
    ) -> Mapping[str, Any]:
        """The values of a trial that waited. One that another program has queued names some of them only."""
        fixed = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        if trial.params.keys() == fixed.keys() and trial.params:
            return trial.params
        drawn = self._sampling.draw(trials, trial.number, fixed=fixed)
        self._store.complete_parameters(claim, drawn.values, drawn.distributions)
        return drawn.values

    def _promoted(self, trials: Sequence[FrozenTrial], room: bool) -> Taken | None:
        if not isinstance(self._pruner, RestingPruner):
            return None
        resting = [trial for trial in trials if state_of(trial) == State.RESTING]
        while resting:
            number = self._pruner.promote(self._store.study, trials, resting, room)
            promoted = next((trial for trial in resting if trial.number == number), None)
            if promoted is None:
                return None
            claim = self._store.claim(promoted, self._worker.name)
            if claim is not None:
                return Taken(claim, promoted.params, promoted.intermediate_values)
            resting.remove(promoted)
        return None

    def _new(self, rows: Sequence[FrozenTrial], locked: bool) -> Taken | str:
        """Begin a new trial; return it, or why there is none."""
        # Where there is no lock, two workers that know the same are not to draw the same.
        repetition = 0 if locked else zlib.crc32(self._worker.name.encode())
        while True:
            drawn = self._untried(rows, repetition)
            if drawn is None:
                count = len(set(self._tried.values()))
                which = "that are within what is allowed " if self._refused else ""
                return f"the space is exhausted: all of its {count} configurations {which}have been tried"
            claim = self._store.create(
                State.RUNNING if drawn.error is None else State.FAILED,
                drawn.values,
                drawn.distributions,
                attributes=drawn.user_attributes | ({} if drawn.error is None else {"error": drawn.error}),
                system_attributes=drawn.system_attributes,
                worker=self._worker.name,
            )
            if drawn.error is None and (locked or not self._came_too_late(claim, drawn)):
                return Taken(claim, drawn.values, {})
            rows = self._store.read()
            trials, repetition = counted(rows), repetition + _DRAWS
            because = self.failed_in_a_row(trials)
            if because is not None or len(trials) >= self._most:
                return because or self._all_done()

    def _untried(self, rows: Sequence[FrozenTrial], repetition: int) -> Draw | None:
        for trial in rows:
            # One that has run has been tried even without a parameter; a model may declare more of them while it is built.
            known, run = self._tried.get(trial.number), trial.params or "attempt" in trial.user_attrs
            if run and (known is None or len(known) < len(trial.params)):
                self._tried[trial.number] = key(trial.params)
        number, tried = len(rows), set(self._tried.values())
        for draw in range(_DRAWS + _RANDOM_DRAWS):
            if draw < _DRAWS:
                drawn = self._sampling.draw(rows, number, repetition=repetition + draw)
            else:
                drawn = self._sampling.draw_at_random(number, repetition + draw)
            self._refused |= drawn.refused is not None
            if drawn.refused is None and key(drawn.values) not in tried:
                return drawn
        return self._sampling.untried(tried, number)

    def _came_too_late(self, claim: Claim, drawn: Draw) -> bool:
        """Mark a trial superseded that is over the budget, or the same as an earlier one: others began theirs meanwhile."""
        earlier = [trial for trial in counted(self._store.read()) if trial.number < claim.number]
        if len(earlier) >= self._most or any(trial.params == drawn.values for trial in earlier):
            return self._store.leave(claim, State.SUPERSEDED)
        return False

    def failed_in_a_row(self, trials: Sequence[FrozenTrial]) -> str | None:
        """Return what the last trials failed with, if there were too many; those of an earlier run may have had a cause that is
        gone."""
        ended = sorted(
            (trial.datetime_complete, trial.number, trial)
            for trial in trials
            if trial.datetime_complete is not None and trial.datetime_complete >= self._began
        )
        last = [trial for *_, trial in ended[-self._max_failures :]]
        if len(last) == self._max_failures and all(state_of(trial) == State.FAILED for trial in last):
            return f"{self._max_failures} trials in a row failed, the last with: {last[-1].user_attrs.get('error', '')}"
        return None

    def _all_done(self) -> str:
        return f"all {self._most} trials are done"
