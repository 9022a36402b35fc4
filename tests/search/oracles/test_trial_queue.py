"""Which trial comes next: without repetition, to the true end of the space, the same after every restart."""

from __future__ import annotations

import contextlib
from typing import Any

import keras_tuner
import optuna
import pytest
from keras_tuner.engine.trial import TrialStatus
from optuna.trial import FrozenTrial

from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.pruners import PRUNERS, Decision, RestingPruner, Trials
from search.oracles.registry import OracleSettings, make_oracle, remarks
from search.oracles.space.search_space import SpaceModel, declared
from search.storages.registry import memory, open_study
from search.storages.trial_life import State, state_of, trials_of
from spaces.space import Space
from tests.search.conftest import accuracy, toy_space


class Memory:
    """Oracles on one study in memory."""

    def __init__(self) -> None:
        self.store = open_study(memory(), "toy")

    def oracle(
        self,
        name: str = "random",
        *,
        space: Any = toy_space,
        trials: int = 6,
        pruner: str = "none",
        **pins: Any,
    ) -> Any:
        model = SpaceModel(Space(space), pins)
        settings = OracleSettings(model, declared(model), [], trials, 3, 1, pruner)
        return make_oracle(name, settings, self.store)

    @property
    def states(self) -> list[State]:
        return [state_of(trial) for trial in self.store.read()]


def play(oracle: Any, most: int = 1000, epochs: int = 3) -> list[dict[str, Any]]:
    played: list[dict[str, Any]] = []
    while len(played) < most:
        trial = oracle.create_trial("tuner")
        if trial.status != TrialStatus.RUNNING:
            break
        values = trial.hyperparameters.values
        played.append(dict(values))
        for epoch in range(oracle.epochs(trial.trial_id) + 1, epochs + 1):
            score = accuracy(values, epoch) if "optimizer" in values else 0.5 + 0.01 * epoch
            told = oracle.update_trial(trial.trial_id, {"val_accuracy": score}, step=epoch)
            if told.status == TrialStatus.STOPPED:
                break
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    return played


@pytest.mark.parametrize("name", ["random", "tpe", "cmaes", "grid", "hyperband"])
def test_what_a_trial_draws_does_not_depend_on_restarts(name: str) -> None:
    restarted = Memory()
    one_by_one = [play(restarted.oracle(name, trials=16), most=1)[0] for _ in range(16)]
    assert one_by_one == play(Memory().oracle(name, trials=16))


@pytest.mark.filterwarnings(
    "ignore::FutureWarning"
)  # of Optuna 5, which has constraints told in the trial as well
def test_what_a_sampler_notes_when_a_trial_has_ended_is_kept_with_it() -> None:
    """Optuna's TPE notes constraints in `after_trial`, here the number of the trial and what it has reported last."""

    def tpe(seed: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(
            seed=seed, constraints_func=lambda trial: (trial.number, trial.intermediate_values[3])
        )

    space = keras_tuner.HyperParameters()
    space.Float("dropout", 0.0, 0.5)
    oracle = OptunaOracle(sampler=tpe, hyperparameters=space, max_trials=3, seed=1)
    assert len(play(oracle)) == 3
    noted = [list(trial.system_attrs["constraints"]) for trial in oracle.store.read()]
    assert noted == [[number, pytest.approx(0.53)] for number in range(3)]


def small_space(hp: keras_tuner.HyperParameters) -> None:
    """27 configurations: 9 without momentum, 18 with one of two."""
    hp.Choice("batch_size", [16, 32, 64])
    hp.Choice("dropout", [0.0, 0.1, 0.2])
    if hp.Choice("optimizer", ["adamw", "sgd"]) == "sgd":
        hp.Choice("momentum", [0.8, 0.9])


@pytest.mark.parametrize("name", ["random", "tpe", "cmaes", "grid"])
def test_a_space_is_exhausted_when_all_of_it_has_been_tried_and_not_before(name: str) -> None:
    study = Memory()
    oracle = study.oracle(name, space=small_space, trials=100)
    played = play(oracle)
    assert len({str(values) for values in played}) == len(played) == 27
    assert oracle.stopped_because == "the space is exhausted: all of its 27 configurations have been tried"
    assert len(study.store.read()) == 27, "what was refused as a repetition is no row"


def test_a_space_with_a_free_number_is_never_exhausted() -> None:
    oracle = Memory().oracle("tpe", space=lambda hp: hp.Float("dropout", 0.1, 0.1001), trials=40)
    assert len(play(oracle)) == 40


def test_the_database_has_the_values_that_the_user_knows() -> None:
    def space(hp: keras_tuner.HyperParameters) -> None:
        hp.Choice("freeze_before", [0, -51, -25])
        hp.Choice("dropout", [0.1, 0.2])
        hp.Choice("batch_size", [32, 64], ordered=False)
        hp.Float("weight_decay", 0.01, 0.1, sampling="reverse_log")
        hp.Float("label_smoothing", 0.0, 0.3, step=0.1)
        hp.Int("patience", 2, 32, step=2, sampling="log")
        hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")

    study = Memory()
    played = play(study.oracle("tpe", space=space, trials=14, image_size=48, backbone="small"))
    table = study.store.study.trials_dataframe()
    assert len(table) == len(trials_of(study.store.study)) == 14 and "value_val_accuracy" in table
    for name in played[0]:
        assert list(table[f"params_{name}"]) == [values[name] for values in played]
    assert set(table["params_freeze_before"]) <= {0, -51, -25} and set(table["params_image_size"]) == {48}
    assert set(table["params_patience"]) <= {2, 4, 8, 16, 32} and set(table["params_backbone"]) == {"small"}
    for draw in (optuna.visualization.plot_slice, optuna.visualization.plot_parallel_coordinate):
        assert "-51" in draw(study.store.study, params=["freeze_before", "dropout"]).to_json()


def test_a_trial_that_another_program_has_queued_comes_first_and_is_filled_up() -> None:
    study = Memory()
    study.store.study.enqueue_trial({"dropout": 0.3, "optimizer": "sgd"})
    (first, second) = play(study.oracle(trials=2))
    assert (first["dropout"], first["optimizer"]) == (0.3, "sgd") and 0.01 <= first["learning_rate@sgd"] <= 1
    assert [trial.params for trial in study.store.read()] == [first, second]


class Rungs(RestingPruner):
    """Every trial rests after its first epoch; the best of at least three goes on, and when there is no room any."""

    def decide(self, study: optuna.Study, trial: FrozenTrial) -> Decision:
        return Decision.REST if trial.last_step == 1 else Decision.CONTINUE

    def promote(self, study: optuna.Study, trials: Trials, resting: Trials, room: bool) -> int | None:
        if len(resting) < 3 and room:
            return None
        return max(resting, key=lambda trial: trial.intermediate_values[1]).number


def test_trials_rest_and_are_promoted_in_their_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRUNERS, "rungs", lambda epochs: Rungs())
    study = Memory()
    oracle = study.oracle(trials=4, pruner="rungs")
    play(oracle, most=3)
    assert study.states == [State.RESTING] * 3
    scores = [trial.intermediate_values[1] for trial in study.store.read()]
    again = study.oracle(trials=4, pruner="rungs")  # by whoever asks next
    play(again, most=1)
    best = max(range(3), key=lambda number: scores[number])
    promoted = study.store.read()[best]
    assert state_of(promoted) == State.COMPLETE and set(promoted.intermediate_values) == {1, 2, 3}
    assert promoted.user_attrs["attempt"] == 2 and study.states.count(State.RESTING) == 2
    play(again)
    assert study.states == [State.COMPLETE] * 4 and again.stopped_because == "all 4 trials are done"


def test_where_there_is_no_lock_the_later_of_two_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Memory()
    one, other = study.oracle(trials=1), study.oracle(trials=1)
    monkeypatch.setattr(type(study.store.storage), "lock", lambda self, name: contextlib.nullcontext(False))
    create = study.store.create

    def beaten(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(study.store, "create", create)
        assert one.create_trial("one").status == TrialStatus.RUNNING
        return create(*arguments, **options)

    monkeypatch.setattr(study.store, "create", beaten)
    assert other.create_trial("other").status == TrialStatus.IDLE
    assert study.states == [State.RUNNING, State.SUPERSEDED]
    assert [trial.number for trial in trials_of(study.store.study)] == [0]


def test_a_recipe_that_two_have_queued_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Memory()
    for dropout in (0.1, 0.1, 0.2):
        values = {"batch_size": 16, "dropout": dropout, "optimizer": "adamw"}
        distributions = {
            name: optuna.distributions.CategoricalDistribution([value, 9]) for name, value in values.items()
        }
        distributions["dropout"] = optuna.distributions.CategoricalDistribution([0.1, 0.2])
        study.store.create(State.QUEUED, values, distributions)
    played = play(study.oracle(space=small_space, trials=2))
    assert [values["dropout"] for values in played] == [0.1, 0.2]
    assert study.states == [State.COMPLETE, State.SUPERSEDED, State.COMPLETE]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("tpe", ""),
        ("random", ""),
        ("gp", "what every trial has; it draws at random: learning_rate@adamw, learning_rate@sgd, momentum"),
        ("cmaes", "it draws at random: optimizer, learning_rate@adamw, learning_rate@sgd, momentum"),
    ],
)
def test_an_oracle_says_what_it_draws_at_random(name: str, named: str) -> None:
    model = SpaceModel(Space(toy_space), {})
    said = "".join(remarks(name, OracleSettings(model, declared(model), [], 1, 1, 1, "none")))
    assert (named in said) if named else said == ""
