"""Which trial is the best: of those that are complete or rest, by the best epoch, of equals the earliest."""

from __future__ import annotations

import math

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.storages.trial_life import STATE, State, best_of, score_of

NAN = math.nan


def trial(
    number: int, state: TrialState, *values: float, marked: State | None = None
) -> optuna.trial.FrozenTrial:
    reported = dict(enumerate(values, 1))
    attributes = {} if marked is None else {STATE: marked.value}
    made = create_trial(
        state=state,
        value=values[-1] if state == TrialState.COMPLETE else None,
        intermediate_values=reported,
        user_attrs=attributes,
    )
    made.number = number
    return made


@pytest.mark.parametrize(
    ("values", "minimized", "score"),
    [
        ((), False, None),
        ((0.5, 0.7, 0.6), False, 0.7),
        ((0.5, 0.7, 0.6), True, 0.5),
        ((NAN, 0.4, 0.6), False, 0.6),
        ((NAN, 0.4, NAN), True, 0.4),
        ((NAN,), False, None),
    ],
)
def test_a_score_is_that_of_the_best_epoch(
    values: tuple[float, ...], minimized: bool, score: float | None
) -> None:
    assert score_of(trial(0, TrialState.RUNNING, *values), minimized=minimized) == score


def test_the_best_is_complete_or_rests_where_there_is_one() -> None:
    pruned = trial(0, TrialState.PRUNED, 0.9)
    failed = trial(1, TrialState.FAIL, 0.95)
    complete = trial(2, TrialState.COMPLETE, 0.6, 0.5)
    resting = trial(3, TrialState.WAITING, 0.7, marked=State.RESTING)
    diverged = trial(4, TrialState.COMPLETE, 0.1, 0.2)
    diverged.intermediate_values = {1: NAN, 2: NAN}
    equal = trial(5, TrialState.COMPLETE, 0.7, 0.4)
    every = [equal, diverged, failed, pruned, complete, resting]
    found = [best_of(every[first:], minimized=False) for first in (0, 1, 4)]
    assert found == [resting, resting, resting]
    assert best_of([equal, complete], minimized=True) is equal
    assert best_of([pruned, failed], minimized=False) is pruned
    assert best_of([failed, diverged], minimized=False) is None
