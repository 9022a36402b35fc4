"""Every oracle of the table, on a real storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from keras_tuner.engine.trial import TrialStatus
from optuna.trial import TrialState

from ferplus_data.errors import InputError
from search.oracles.protocol import ClaimingOracle
from search.oracles.pruners import PRUNERS
from search.oracles.registry import ORACLES


def available(name: str) -> str:
    if name == "gp":
        pytest.importorskip("torch", reason="Optuna's Gaussian process needs PyTorch")
    return name


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_runs_its_trials_and_the_study_has_them(name: str, driver: Any, tmp_path: Path) -> None:
    oracle = driver.oracle(available(name), trials=8, directory=tmp_path)
    assert isinstance(oracle, ClaimingOracle)
    played = driver.run(oracle, most=60)
    trials = driver.trials()
    assert len(trials) == len(played) >= 6
    if name != "kt-hyperband":  # its brackets set the number
        assert len(played) == 8
        assert len({tuple(sorted(values.items())) for values in played}) == 8, "a configuration was run twice"
    assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    for trial, values in zip(trials, played, strict=True):
        assert trial.params == values
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert ("learning_rate@sgd" in values) == (values["optimizer"] == "sgd")
    assert oracle.stopped_because


@pytest.mark.parametrize("name", ["random", "kt-random"])
def test_a_trials_value_is_its_best_epochs(name: str, driver: Any, tmp_path: Path) -> None:
    oracle = driver.oracle(name, trials=1, directory=tmp_path)
    trial = oracle.create_trial("tuner0")
    for epoch, score in enumerate((0.5, 0.7, 0.6), 1):
        oracle.update_trial(trial.trial_id, {"val_accuracy": score}, step=epoch)
    trial.status = TrialStatus.COMPLETED
    oracle.end_trial(trial)
    assert [trial.value for trial in driver.trials()] == [0.7]


@pytest.mark.parametrize("name", [n for n in ORACLES if n != "kt-hyperband"])
def test_an_interrupted_search_continues_with_its_trial(name: str, driver: Any, tmp_path: Path) -> None:
    oracle = driver.oracle(available(name), trials=5, directory=tmp_path)
    driver.run(oracle, most=2)
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5}, step=1)
    number = oracle.number(trial.trial_id)
    oracle.release(trial)

    again = driver.oracle(available(name), trials=5, directory=tmp_path)
    resumed = again.create_trial("tuner0")
    assert again.number(resumed.trial_id) == number == 2
    assert resumed.hyperparameters.values == trial.hyperparameters.values
    again.update_trial(resumed.trial_id, {"val_accuracy": 0.6}, step=3)
    resumed.status = TrialStatus.COMPLETED
    again.end_trial(resumed)
    driver.run(again)
    trials = driver.trials()
    assert len(trials) == 5
    assert set(trials[2].intermediate_values) == {1, 3} and trials[2].value == 0.6


RECIPES = [
    {"optimizer": "sgd", "learning_rate@sgd": 0.05, "momentum": 0.9, "batch_size": 32, "dropout": 0.3},
    {"optimizer": "adamw", "learning_rate@adamw": 0.001, "batch_size": 64, "dropout": 0.2},
]


@pytest.mark.parametrize("name", [n for n in ORACLES if n not in ("kt-hyperband", "kt-grid")])
def test_known_recipes_come_first(name: str, driver: Any, tmp_path: Path) -> None:
    oracle = driver.oracle(available(name), trials=4, recipes=RECIPES, directory=tmp_path)
    played = driver.run(oracle)
    grid = "grid" in name  # the nearest point of the grid stands for a free number
    for values, recipe in zip(played, RECIPES, strict=False):
        assert values.keys() == recipe.keys()
        for key, value in recipe.items():
            assert values[key] == (
                pytest.approx(value, rel=0.5) if grid and "rate" in key else pytest.approx(value)
            )
    assert len(played) == 4


@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "promotion"])
def test_pruned_trials_stop_within_their_epoch(pruner: str, driver: Any) -> None:
    oracle = driver.oracle("tpe", trials=20, epochs=9, pruner=pruner)
    driver.run(oracle, epochs=9)
    trials = driver.trials()
    assert len(trials) == 20
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            assert len(trial.intermediate_values) == 9
        else:
            assert trial.state == TrialState.PRUNED and len(trial.intermediate_values) < 9
    pruned = sum(t.state == TrialState.PRUNED for t in trials)
    assert pruned == 0 if pruner == "none" else pruned > 0


def test_a_failed_trial_is_recorded_and_the_search_goes_on(driver: Any) -> None:
    oracle = driver.oracle("random", trials=8)
    driver.run(oracle, fail=lambda values: values["batch_size"] == 16 and len(driver.trials()) % 2 == 0)
    failed = [t for t in driver.trials() if t.state == TrialState.FAIL]
    assert failed and all(t.user_attrs["error"] == "MemoryError: too big" for t in failed)
    assert len(driver.trials()) == 8


@pytest.mark.parametrize("name", ["random", "kt-random"])
def test_three_failures_in_a_row_stop_the_search(name: str, driver: Any, tmp_path: Path) -> None:
    oracle = driver.oracle(name, trials=10, directory=tmp_path)
    try:
        played = driver.run(oracle, fail=lambda values: True)
    except keras_tuner.errors.FatalError:
        played = [None] * 3
    assert len(played) == 3 and len(driver.trials()) == 3
    assert "MemoryError: too big" in oracle.stopped_because


def test_a_value_needed_only_for_another_is_sampled_when_it_appears(driver: Any) -> None:
    def by_python_if(hp: keras_tuner.HyperParameters) -> None:
        hp.Float("dropout", 0.0, 0.5)
        if hp.Choice("optimizer", ["adamw", "sgd"]) == "sgd":
            hp.Float("momentum", 0.5, 0.9)

    played = driver.run(driver.oracle("random", trials=15, space=by_python_if))
    momenta = [values["momentum"] for values in played if values["optimizer"] == "sgd"]
    assert len(momenta) > 3 and len(set(momenta)) == len(momenta)
    assert all("momentum" not in values for values in played if values["optimizer"] == "adamw")


def test_a_space_that_raises_for_some_values_fails_those_trials(driver: Any) -> None:
    def picky(hp: keras_tuner.HyperParameters) -> None:
        if hp.Float("dropout", 0.0, 0.6, default=0.1) > 0.4:
            raise ValueError("too much")

    oracle = driver.oracle("random", trials=12, space=picky)
    while (trial := oracle.create_trial("tuner0")).status == TrialStatus.RUNNING:
        assert trial.hyperparameters.values["dropout"] <= 0.4
        oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5}, step=1)
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    trials = driver.trials()
    failed = [t for t in trials if t.state == TrialState.FAIL]
    assert len(trials) == 12 and 0 < len(failed) < 12
    assert all("ValueError: too much" in t.user_attrs["error"] for t in failed)


@pytest.mark.parametrize("name", ["random", "grid", "tpe"])
def test_an_exhausted_space_ends_the_search(name: str, driver: Any) -> None:
    oracle = driver.oracle(name, trials=50, space=lambda hp: hp.Choice("batch_size", [16, 32, 64]))
    oracle_values = []
    while (trial := oracle.create_trial("tuner0")).status == TrialStatus.RUNNING:
        oracle_values.append(trial.hyperparameters.values["batch_size"])
        oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5}, step=1)
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    assert sorted(oracle_values) == [16, 32, 64]
    assert "exhausted" in oracle.stopped_because


def test_two_oracles_share_one_budget(driver: Any) -> None:
    first, second = driver.oracle("random", trials=7), driver.oracle("random", trials=7)
    second_trial = second.create_trial("b")
    played = driver.run(first, most=6)
    assert len(played) == 6
    # The seventh is still in the other's hands: nothing to do, but not over either.
    assert first.create_trial("tuner0").status == TrialStatus.IDLE
    second.update_trial(second_trial.trial_id, {"val_accuracy": 0.9}, step=1)
    second_trial.status = TrialStatus.COMPLETED
    second.end_trial(second_trial)
    assert first.create_trial("tuner0").status == TrialStatus.STOPPED
    assert len(driver.trials()) == 7


def test_an_unknown_oracle_is_named(driver: Any) -> None:
    with pytest.raises(InputError, match="unknown oracle 'oracle9'"):
        driver.oracle("oracle9")


def test_hyperband_promotes_as_keras_tuner_does_and_begins_again_until_there_are_enough(
    driver: Any, tmp_path: Path
) -> None:
    one_iteration = (9 + 3 + 1) + (5 + 2) + 3  # the brackets of 9 epochs and factor 3
    oracle = driver.oracle("kt-hyperband", trials=40, epochs=9, directory=tmp_path)
    budgets = []
    while (trial := oracle.create_trial("tuner0")).status == TrialStatus.RUNNING:
        values = trial.hyperparameters.values
        budgets.append(values["tuner/epochs"])
        number, before = oracle.number(trial.trial_id), oracle.promoted_from(trial)
        if before is None:
            assert values["tuner/initial_epoch"] == 0
        else:
            shorter = driver.trials()[before]
            assert shorter.params == driver.trials()[number].params
            assert max(shorter.intermediate_values) == values["tuner/initial_epoch"] < values["tuner/epochs"]
        for epoch in range(1, values["tuner/epochs"] + 1):
            score = 0.5 + 0.3 * values["dropout"] + 0.01 * epoch
            oracle.update_trial(trial.trial_id, {"val_accuracy": score}, step=epoch)
        trial.status = TrialStatus.COMPLETED
        assert oracle.is_resting(trial.trial_id) == (values["tuner/epochs"] < 9)  # its checkpoint stays
        oracle.end_trial(trial)
    assert len(budgets) == len(driver.trials()) == 40
    assert sorted(budgets[:one_iteration]) == [1] * 9 + [3] * 8 + [9] * 6
    assert budgets[one_iteration] == 1, "no further iteration"
