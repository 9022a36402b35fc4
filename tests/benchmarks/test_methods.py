"""The simulator's methods are what a user gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_tuner.engine.trial import TrialStatus

from benchmarks.simulator.methods import method
from benchmarks.simulator.tasks import Range, Task
from benchmarks.simulator.tellings import tell
from search.oracles import samplers
from search.oracles.portfolio.sampler import PortfolioSampler, startup_of
from search.oracles.registry import OracleSettings
from search.setup import limits
from search.study.arguments import SearchArguments


@pytest.mark.parametrize(
    ("budget", "startup"),
    # Of 26 epochs a trial has 2.96 on average, so that there are 5, 18, 44 and 439 trials.
    [(0.5, 2), (2, 4), (5, 11), (50, 12)],
)
def test_the_default_begins_with_as_many_random_trials_as_with_a_users_budget(
    budget: float, startup: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_with = []

    class Noted(PortfolioSampler):
        def __init__(self, **options: Any) -> None:
            begun_with.append(options["startup"])
            super().__init__(**options)

    monkeypatch.setattr(samplers, "PortfolioSampler", Noted)
    task = Task("flat", 26, lambda rows: np.full((len(rows), 26), 0.5), 1.0, 0.0, [Range("x", 0, 1)])
    told = tell(task, "plain")
    oracle = method("default")(told, 0, 10**6, budget, Path("."))
    assert set(begun_with) == {startup}
    users = SearchArguments(data="demo", epochs=26, budget=budget)
    asked = OracleSettings(None, None, [], users.trials, users.epochs, 0, users.pruner, limits=limits(users))
    assert startup_of(asked.most_trials) == startup
    # And it ends when the budget is spent.
    trial = oracle.create_trial("worker0")
    for epoch in range(1, 27):
        oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5}, step=epoch)
    assert (oracle.create_trial("worker1").status == TrialStatus.STOPPED) == (budget < 1)
