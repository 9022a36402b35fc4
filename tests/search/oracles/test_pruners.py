"""When each of Optuna's pruners looks at a trial for the first time."""

from __future__ import annotations

import optuna
import pytest

from search.oracles.pruners import PRUNERS


@pytest.mark.parametrize(
    ("name", "judged"),
    [("halving", {1, 3, 9}), ("median", {1}), ("none", set())],
)
def test_a_poor_trial_is_stopped_at_the_first_epoch_that_is_judged(name: str, judged: set[int]) -> None:
    study = optuna.create_study(direction="maximize", pruner=PRUNERS[name](9))
    for _ in range(9):
        good = study.ask()
        for epoch in range(1, 10):
            good.report(0.9, epoch)
            good.should_prune()
        study.tell(good, 0.9)
    for first in range(1, 10):
        poor = study.ask()
        stopped = []
        for epoch in range(1, first + 1):
            poor.report(0.1 if epoch == first else 0.9, epoch)
            stopped.append(poor.should_prune())
        assert stopped[-1] == (first in judged), first


def test_hyperbands_brackets_judge_from_the_first_epoch_on() -> None:
    """Three times the epochs from bracket to bracket, the first bracket's from 1."""
    study = optuna.create_study(study_name="toy", direction="maximize", pruner=PRUNERS["hyperband"](9))
    stopped = set()
    for number in range(60):
        trial = study.ask()
        for epoch in range(1, 10):
            trial.report(0.9 if number % 2 else 0.1, epoch)
            if trial.should_prune():
                stopped.add(epoch)
                break
        study.tell(trial, 0.5)
    assert {1, 3} <= stopped <= {1, 3, 9}
