"""The recipes of docs/extending.md for oracles and pruners, followed."""

from __future__ import annotations

import optuna
import pytest
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from search.oracles.pruners import PRUNERS
from search.oracles.registry import ORACLES
from search.oracles.samplers import SAMPLERS, SamplerSettings
from search.storages.registry import memory
from tests.search.conftest import Driver


def plain_tpe(settings: SamplerSettings) -> BaseSampler:
    return optuna.samplers.TPESampler(seed=settings.seed)


def percentile(epochs: int) -> BasePruner:
    return optuna.pruners.PercentilePruner(25.0, n_startup_trials=2)


def test_an_oracle_and_a_pruner_are_named_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(memory())
    make, _ = ORACLES["random"]
    monkeypatch.setitem(SAMPLERS, "plain-tpe", plain_tpe)
    monkeypatch.setitem(ORACLES, "plain-tpe", (make, {"sampler": "plain-tpe"}))
    monkeypatch.setitem(PRUNERS, "percentile", percentile)
    played = driver.run(driver.oracle("plain-tpe", trials=8, pruner="percentile"))
    assert len(played) == 8 and len({str(values) for values in played}) == 8
    states = [trial.state.name for trial in driver.trials()]
    assert states.count("PRUNED") and states.count("COMPLETE")
