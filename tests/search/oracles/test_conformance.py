"""Optuna's own test cases for samplers, on those of the table; and what every pruner of ours has to do."""

from __future__ import annotations

from collections.abc import Callable

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from search.oracles.pruners import PRUNERS
from search.oracles.samplers import SAMPLERS, BoundedTPESampler, SamplerSettings


class TestTPE(BasicSamplerTestCase, RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: BoundedTPESampler(SamplerSettings(0, maximize=False), startup=0)


class TestRandom(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: SAMPLERS["random"](SamplerSettings(0))


class TestCmaEs(BasicSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: SAMPLERS["cmaes"](SamplerSettings(0))


# One that lets trials rest asks the oracle to go on with them, which Optuna's own loop does not (test_promotion.py).
@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "promotion"])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_pruner_stops_the_worse_and_never_the_best(name: str, direction: str) -> None:
    """Twelve trials of nine epochs, one after the other: the last is the best at every epoch, the one before it the worst."""
    study = optuna.create_study(direction=direction, study_name="pruned", pruner=PRUNERS[name](9))
    sign = 1 if direction == "maximize" else -1
    for level in [*range(1, 11), 0, 11]:
        trial = study.ask()
        for epoch in range(1, 10):
            trial.report(sign * (level + epoch / 100), epoch)
            if epoch < 9 and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, sign * level)
    *_, worst, best = study.trials
    assert best.state.name == "COMPLETE"
    assert worst.state.name == ("COMPLETE" if name == "none" else "PRUNED")
