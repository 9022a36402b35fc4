"""The life of a trial: its states, how they are stored, and which may follow which.

A trial is one row of its Optuna study from its first worker to its end. Its state is Optuna's own together with the user
attribute `state`, which tells apart what Optuna calls by one name:

    state        Optuna's    what it means
    queued       WAITING     known before it has a worker, such as a published recipe
    running      RUNNING     a worker has it (attributes `worker` and `attempt`)
    resting      WAITING     stopped at a rung with its checkpoint, until its pruner promotes it
    released     WAITING     its worker gave it up or died; the next one continues it after its last epoch
    failed       FAIL        it raised, or its workers died too often (attribute `error`)
    pruned       PRUNED      stopped early for good
    complete     COMPLETE    it had all its epochs
    superseded   FAIL        no trial of the study: two processes created it at the same moment, where no lock could prevent it
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

STATE = "state"
"""The user attribute."""
SOURCE = "source"
"""The user attribute that says what suggested a trial, where that is known."""
KNOWN_RECIPE = "recipe"
"""Its value for a known recipe of the space."""


class State(enum.StrEnum):
    """The state of a trial; the module's table says what each means."""

    QUEUED = "queued"
    RUNNING = "running"
    RESTING = "resting"
    RELEASED = "released"
    FAILED = "failed"
    PRUNED = "pruned"
    COMPLETE = "complete"
    SUPERSEDED = "superseded"

    @property
    def stored(self) -> TrialState:
        """Optuna's state of such a trial."""
        return _STORED[self]

    @property
    def ended(self) -> bool:
        """Whether no other state follows."""
        return not TRANSITIONS[self]


_STORED: dict[State, TrialState] = {
    State.QUEUED: TrialState.WAITING,
    State.RUNNING: TrialState.RUNNING,
    State.RESTING: TrialState.WAITING,
    State.RELEASED: TrialState.WAITING,
    State.FAILED: TrialState.FAIL,
    State.PRUNED: TrialState.PRUNED,
    State.COMPLETE: TrialState.COMPLETE,
    State.SUPERSEDED: TrialState.FAIL,
}
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING}),
    State.RUNNING: frozenset(
        {State.RESTING, State.RELEASED, State.FAILED, State.PRUNED, State.COMPLETE, State.SUPERSEDED}
    ),
    State.RESTING: frozenset({State.RUNNING}),
    State.RELEASED: frozenset({State.RUNNING}),
    State.FAILED: frozenset(),
    State.PRUNED: frozenset(),
    State.COMPLETE: frozenset(),
    State.SUPERSEDED: frozenset(),
}
"""State -> those that may follow. A trial begins as queued, running, or, where its space refuses what was drawn, failed."""
_MARKED: dict[tuple[Any, TrialState], State] = {
    (state.value, stored): state for state, stored in _STORED.items()
}
"""Looked up, not made anew: of a large study it is asked thousands of times for each new trial."""
_UNMARKED = {
    TrialState.WAITING: State.QUEUED,  # by `study.enqueue_trial`
    TrialState.RUNNING: State.RUNNING,
    TrialState.FAIL: State.FAILED,
    TrialState.PRUNED: State.PRUNED,
    TrialState.COMPLETE: State.COMPLETE,
}


ELIGIBLE = (State.COMPLETE, State.RESTING)
"""States of the trials among which a retraining chooses; it takes another only where there is none of them."""


def state_of(trial: FrozenTrial) -> State:
    """Return the state of a stored trial. The attribute is written before Optuna's state where a trial leaves its worker and
    after it where one takes it, and counts only if it fits: so a process may die between the two."""
    return _MARKED.get((trial.user_attrs.get(STATE), trial.state)) or _UNMARKED[trial.state]


def score_of(trial: FrozenTrial, *, minimized: bool) -> float | None:
    """Return the best value of the objective that `trial` has had after an epoch, NaN not counted; None where it has had none."""
    values = (value for value in trial.intermediate_values.values() if not math.isnan(value))
    return (min if minimized else max)(values, default=None)


def rank(state: str, merit: float, number: int) -> tuple[bool, float, int]:
    """Return what is highest for the best of several trials: of those that are complete or rest, else of any, the one of most
    `merit`, which is its score, negated where the lowest is the best; of equals the earliest."""
    return state in ELIGIBLE, merit, -number


def best_of(trials: Iterable[FrozenTrial], *, minimized: bool) -> FrozenTrial | None:
    """Return the best, by `rank`, of the trials that have had an epoch and have not failed; None if there is none."""
    ranked = [
        (rank(state, -score if minimized else score, trial.number), trial)
        for trial in trials
        if (score := score_of(trial, minimized=minimized)) is not None
        and (state := state_of(trial)) != State.FAILED
    ]
    return max(ranked, key=lambda one: one[0])[1] if ranked else None


def counted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return those of a study's `trials` that are trials of it: all but the superseded ones."""
    failed = TrialState.FAIL  # looked at first: a study has thousands of trials, and few of them have failed
    return [trial for trial in trials if trial.state != failed or state_of(trial) != State.SUPERSEDED]


def trials_of(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials of `study`, in the order of their numbers."""
    return counted(study.get_trials(deepcopy=False))
