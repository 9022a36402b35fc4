"""Resting at a rung and promotion from it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.simulator.methods import method
from benchmarks.simulator.study import run_study
from benchmarks.simulator.tasks import Range, Task
from benchmarks.simulator.tellings import tell
from search.oracles.pruners import Decision, PromotionPruner, rungs
from search.storages.registry import memory
from tests.search.conftest import Driver


def trial(*values: float, state: TrialState = TrialState.WAITING) -> FrozenTrial:
    """A trial that has reported `values` in its epochs from 1."""
    curve = dict(enumerate(values, 1))
    complete = {"value": max(values)} if state == TrialState.COMPLETE else {}
    return optuna.create_trial(state=state, intermediate_values=curve, **complete)


def study_of(*trials: FrozenTrial, direction: str = "maximize") -> tuple[optuna.Study, list[FrozenTrial]]:
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)
    return study, study.get_trials(states=[TrialState.WAITING])


def test_rungs_are_below_the_last_epoch() -> None:
    found = {epochs: rungs(epochs) for epochs in (1, 2, 9, 10, 26, 30)}
    assert found == {1: [], 2: [1], 9: [1, 3], 10: [1, 3, 9], 26: [1, 3, 9], 30: [1, 3, 9, 27]}


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
        return PromotionPruner(9).promote(study, study.get_trials(), resting, room=True)

    assert promoted(0.5, 0.9) is None
    assert promoted(0.5, 0.9, 0.1) == 1
    assert promoted(0.5, 0.9, 0.1, 0.95, math.nan, 0.2) == 3


def test_what_has_gone_on_counts_among_those_that_reached_the_rung() -> None:
    # Of six at epoch 1 the best two may go on: one has, and one that is better than it rests there.
    study, resting = study_of(trial(0.5, 0.55, 0.6), trial(0.8), *[trial(0.1 * n) for n in range(4)])
    assert PromotionPruner(9).promote(study, study.get_trials(), resting, room=True) == 1
    # The higher rung comes first, once it has three.
    more = [trial(0.3, 0.3, 0.5 + n / 10, state=TrialState.PRUNED) for n in range(-2, 0)]
    study, resting = study_of(trial(0.5, 0.55, 0.6), trial(0.8), *more)
    assert PromotionPruner(9).promote(study, study.get_trials(), resting, room=True) == 0
    # A failed trial is none of them.
    gone = trial(0.2, state=TrialState.FAIL)
    study, resting = study_of(trial(0.5), trial(0.4), gone)
    assert PromotionPruner(9).promote(study, study.get_trials(), resting, room=True) is None


@pytest.mark.parametrize("workers", [1, 3])
def test_a_promoted_trial_goes_on_after_its_last_epoch(workers: int) -> None:
    """Through the real oracle: the first hyperparameter is the score, so the best third is known."""
    curves = np.outer(np.arange(12), np.ones(9)) / 12
    task = Task(
        "tiny", 9, lambda rows: curves[[int(row[0]) for row in rows]], 1, 0, [Range("x", 0, 11, integer=True)]
    )
    told = tell(task, "plain")
    oracle = method("asha")(told, 3, 12, 100, Path("."))
    spent = run_study(oracle, told, workers=workers, budget=100)
    trials = oracle.store.study.get_trials()
    assert len(trials) == 12, "each of the twelve configurations is one trial"
    epochs = {trial.params["x"]: sorted(trial.intermediate_values) for trial in trials}
    assert all(steps == list(range(1, len(steps) + 1)) for steps in epochs.values())
    assert len(spent) == sum(map(len, epochs.values())), "no epoch was trained twice"
    assert {len(steps) for steps in epochs.values()} == {1, 3, 9}
    # Four of twelve reach epoch 3 and one of those the end; who came early may have gone on before its betters came.
    assert 4 <= sum(len(steps) >= 3 for steps in epochs.values()) <= 8
    assert len(epochs[11]) == 9


def test_a_promoted_trial_may_tell_of_its_earlier_epochs_again() -> None:
    """As a training does that goes on from its checkpoint."""
    driver = Driver(memory())
    oracle = driver.oracle("random", trials=9, epochs=9, pruner="promotion")
    played = driver.run(oracle, epochs=9, most=40)  # every time from epoch 1
    epochs = [len(trial.intermediate_values) for trial in driver.trials()]
    assert len(epochs) == 9 and len(played) < 40 and oracle.stopped_because
    assert epochs.count(9) == 1 and 3 <= sum(n >= 3 for n in epochs) <= 6
    assert {trial.state for trial in driver.trials()} == {TrialState.WAITING, TrialState.COMPLETE}


def test_one_trial_is_trained_in_full_when_there_is_no_room_for_another() -> None:
    study, resting = study_of(trial(0.5), trial(0.6))
    assert PromotionPruner(9).promote(study, study.get_trials(), resting, room=False) == 1
    study, resting = study_of(trial(0.5, 0.5, 0.7), trial(0.6))
    assert PromotionPruner(9).promote(study, study.get_trials(), resting, room=False) == 0
    study, resting = study_of(trial(0.6), trial(*[0.5] * 9, state=TrialState.COMPLETE))
    assert PromotionPruner(9).promote(study, study.get_trials(), resting, room=False) is None
