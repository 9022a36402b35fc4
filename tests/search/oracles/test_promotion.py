"""Resting at a rung and promotion from it."""

from __future__ import annotations

import math

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from search.oracles.promotion import Decision, PromotionPruner


def trial(*values: float, state: TrialState = TrialState.WAITING) -> FrozenTrial:
    """A trial that has reported `values` in its epochs from 1."""
    curve = dict(enumerate(values, 1))
    complete = {"value": max(values)} if state == TrialState.COMPLETE else {}
    return optuna.create_trial(state=state, intermediate_values=curve, **complete)


def study_of(*trials: FrozenTrial, direction: str = "maximize") -> tuple[optuna.Study, list[FrozenTrial]]:
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)
    return study, study.get_trials(states=[TrialState.WAITING])


def test_a_trial_rests_at_the_rungs_alone() -> None:
    study, _ = study_of()
    pruner = PromotionPruner(26)
    rests = [e for e in range(1, 26) if pruner.decide(study, trial(*[0.1] * e)) == Decision.REST]
    assert rests == [1, 3, 9]
    assert [
        e
        for e in range(1, 9)
        if PromotionPruner(9, first=2).decide(study, trial(*[0.1] * e)) == Decision.REST
    ] == [2, 6]
    assert PromotionPruner(1).decide(study, trial(0.1)) == Decision.CONTINUE


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_best_third_of_those_that_reached_a_rung_goes_on_the_best_first(direction: str) -> None:
    sign = 1 if direction == "maximize" else -1

    def promoted(*values: float) -> int | None:
        study, resting = study_of(*[trial(sign * value) for value in values], direction=direction)
        return PromotionPruner(9).promote(study, resting, room=True)

    assert promoted(0.5, 0.9) is None
    assert promoted(0.5, 0.9, 0.1) == 1
    assert promoted(0.5, 0.9, 0.1, 0.95, math.nan, 0.2) == 3


def test_what_has_gone_on_counts_among_those_that_reached_the_rung() -> None:
    # Of six at epoch 1 the best two may go on: one has, and one that is better than it rests there.
    study, resting = study_of(trial(0.5, 0.55, 0.6), trial(0.8), *[trial(0.1 * n) for n in range(4)])
    assert PromotionPruner(9).promote(study, resting, room=True) == 1
    # The higher rung comes first, once it has three.
    more = [trial(0.3, 0.3, 0.5 + n / 10, state=TrialState.PRUNED) for n in range(-2, 0)]
    study, resting = study_of(trial(0.5, 0.55, 0.6), trial(0.8), *more)
    assert PromotionPruner(9).promote(study, resting, room=True) == 0
    # A failed trial is none of them.
    gone = trial(0.2, state=TrialState.FAIL)
    study, resting = study_of(trial(0.5), trial(0.4), gone)
    assert PromotionPruner(9).promote(study, resting, room=True) is None


def test_one_trial_is_trained_in_full_when_there_is_no_room_for_another() -> None:
    study, resting = study_of(trial(0.5), trial(0.6))
    assert PromotionPruner(9).promote(study, resting, room=False) == 1
    study, resting = study_of(trial(0.5, 0.5, 0.7), trial(0.6))
    assert PromotionPruner(9).promote(study, resting, room=False) == 0
    study, resting = study_of(trial(0.6), trial(*[0.5] * 9, state=TrialState.COMPLETE))
    assert PromotionPruner(9).promote(study, resting, room=False) is None
