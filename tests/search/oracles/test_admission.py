"""Limits on networks, with several workers that draw from one study."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from keras_tuner.engine.trial import TrialStatus

from models.networks import cost
from search.oracles.registry import OracleSettings, make_oracle
from search.oracles.space.admission import Admission
from search.oracles.space.search_space import SpaceModel, declared
from search.storages.registry import memory, open_study
from search.storages.trial_life import State, state_of, trials_of
from spaces import SPACES

PARAMETERS = {"small": 3_000, "small_se": 4_000, "small_vgg": 5_000}
TRIALS, WORKERS = 10, 4


@pytest.mark.parametrize("limits", [(3_500, None), (None, 3.5)])
def test_no_worker_begins_a_network_that_is_over_a_limit(
    limits: tuple[int | None, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "parameters", lambda recipe: PARAMETERS[recipe.backbone])
    monkeypatch.setattr(cost, "latency", lambda recipe: PARAMETERS[recipe.backbone] / 1000)
    storage = memory()

    def oracle_of(worker: int) -> Any:
        model = SpaceModel(SPACES["small"], {})
        settings = OracleSettings(
            model, declared(model), [], TRIALS, 1, 0, "none", admission=Admission(*limits)
        )
        own: Any = SimpleNamespace(name=f"worker {worker}", is_dead=lambda name: False)
        return make_oracle("portfolio", settings, open_study(storage, "s"), own)

    oracles = [oracle_of(worker) for worker in range(WORKERS)]
    working = True
    while working:
        begun = [(oracle, oracle.create_trial("tuner")) for oracle in oracles]  # all at once
        begun = [(oracle, trial) for oracle, trial in begun if trial.status == TrialStatus.RUNNING]
        for oracle, trial in begun:
            value = float(trial.hyperparameters.values["dropout"])
            oracle.update_trial(trial.trial_id, {"val_accuracy": value}, step=1)
            trial.status = TrialStatus.COMPLETED
            oracle.end_trial(trial)
        working = bool(begun)
    trials = trials_of(open_study(storage, "s").study)
    assert [state_of(trial) for trial in trials] == [State.COMPLETE] * TRIALS
    assert {trial.params["backbone"] for trial in trials} == {"small"}
    assert {trial.user_attrs["worker"] for trial in trials} == {f"worker {n}" for n in range(WORKERS)}
    assert all(oracle.stopped_because == f"all {TRIALS} trials are done" for oracle in oracles)
