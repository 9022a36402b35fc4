"""OptunaOracle under Keras Tuner's own tuner, as its users know an oracle: any model, objective and failure."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.protocol import OneProcess
from search.storages.registry import memory, open_study


class Model(keras_tuner.HyperModel):
    """Declares `width`, and `depth` only where the width is large, while it is built."""

    def build(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        width = hp.Int("width", 1, 64)
        return {"width": width, "depth": hp.Int("depth", 1, 4) if width > 32 else 0}


class Tuner(BaseTuner):
    """Scores a model by a function of it instead of training it."""

    def __init__(self, oracle: OptunaOracle, score: Callable[[dict[str, Any]], float], path: Path) -> None:
        super().__init__(oracle, Model(), directory=path, project_name="project")
        self._score = score
        self.built: list[dict[str, Any]] = []

    def run_trial(self, trial: Trial, *arguments: Any, **options: Any) -> dict[str, float]:
        self.built.append(self.hypermodel.build(trial.hyperparameters))
        return {"val_loss": self._score(self.built[-1])}


class Named(OneProcess):
    """A worker of a name of its own."""

    name = "another process"


def oracle(*, storage: Any = None, **options: Any) -> OptunaOracle:
    objective = options.pop("objective", keras_tuner.Objective("val_loss", "min"))
    direction = "minimize" if objective.direction == "min" else "maximize"
    store = open_study(storage or memory(), "plain", direction=direction, metric=objective.name)
    made = OptunaOracle(store, objective=objective, seed=3, **{"max_trials": 8, **options})
    made.verbose = 0
    return made


@pytest.mark.parametrize("direction", ["min", "max"])
def test_an_objective_of_either_direction(direction: str, tmp_path: Path) -> None:
    asked = oracle(objective=keras_tuner.Objective("val_loss", direction))
    tuner = Tuner(asked, lambda model: float(model["width"]), tmp_path)
    tuner.search()
    widths = [model["width"] for model in tuner.built]
    wanted = min(widths) if direction == "min" else max(widths)
    (best,) = tuner.get_best_hyperparameters()
    assert best.get("width") == wanted and asked.get_best_trials()[0].score == wanted
    assert asked.store.study.best_value == wanted and asked.store.study.metric_names == ["val_loss"]
    assert [trial.score for trial in asked.get_best_trials(8)] == sorted(widths, reverse=direction == "max")
    assert asked.start_order == sorted(asked.trials)


def test_hyperparameters_that_appear_while_a_model_is_built(tmp_path: Path) -> None:
    asked = oracle(max_trials=12)
    assert [hp.name for hp in asked.get_space().space] == []
    tuner = Tuner(asked, lambda model: -float(model["width"] + model["depth"]), tmp_path)
    tuner.search()
    assert {hp.name for hp in asked.get_space().space} == {"width", "depth"}
    deep = [model for model in tuner.built if model["depth"]]
    assert len({model["depth"] for model in deep}) > 1, "it was never drawn once it was known"
    for row, model in zip(asked.store.read(), tuner.built, strict=True):
        assert row.params["width"] == model["width"]
        assert not model["depth"] or row.params["depth"] == model["depth"]


@pytest.mark.parametrize(
    ("options", "names"), [({"tune_new_entries": False}, {"width"}), ({}, {"width", "depth"})]
)
def test_new_entries_are_tuned_only_where_they_may_be(
    options: dict[str, bool], names: set[str], tmp_path: Path
) -> None:
    known = keras_tuner.HyperParameters()
    known.Int("width", 1, 64)
    asked = oracle(hyperparameters=known, **options)
    Tuner(asked, lambda model: 1.0, tmp_path).search()
    assert {hp.name for hp in asked.get_space().space} == names


def test_a_new_entry_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    known = keras_tuner.HyperParameters()
    known.Int("width", 40, 64)
    with pytest.raises(RuntimeError, match="allow_new_entries"):
        Tuner(oracle(hyperparameters=known, allow_new_entries=False), lambda model: 1.0, tmp_path)


def test_reload_after_a_restart(tmp_path: Path) -> None:
    storage = memory()
    first = oracle(storage=storage, max_trials=4)
    Tuner(first, lambda model: float(model["width"]), tmp_path).search()
    again = oracle(storage=storage, max_trials=6)
    tuner = Tuner(again, lambda model: float(model["width"]), tmp_path)
    assert {hp.name for hp in again.get_space().space} == {hp.name for hp in first.get_space().space}
    assert len(again.trials) == 4
    before = again.get_best_trials()[0]
    assert before.score == min(trial.score for trial in first.trials.values())
    tuner.search()
    assert len(tuner.built) == 2 and len(again.store.read()) == 6
    assert again.get_trial("0000").hyperparameters.values == first.get_trial("0000").hyperparameters.values


def test_what_was_under_way_before_a_restart_is_run_again(tmp_path: Path) -> None:
    storage = memory()
    first = oracle(storage=storage, max_trials=2)
    tuner = Tuner(first, lambda model: 1.0, tmp_path)
    tuner.save()  # as after a trial: Keras Tuner reloads where it finds this file
    left = first.create_trial("tuner0")
    again = oracle(storage=storage, max_trials=2)
    Tuner(again, lambda model: float(model["width"]), tmp_path).search()
    assert [row.state.name for row in again.store.read()] == ["COMPLETE"] * 2
    assert again.start_order[0] == left.trial_id
    assert again.get_trial(left.trial_id).hyperparameters.get("width") == left.hyperparameters.get("width")


def test_reload_leaves_what_this_oracle_and_other_workers_run(tmp_path: Path) -> None:
    storage = memory()
    asked, other = oracle(storage=storage), oracle(storage=storage, worker=Named())
    for one in (asked, other):
        one.hyperparameters.Int("width", 1, 64)
        one.create_trial("tuner0")
    asked.reload()
    assert [row.state.name for row in asked.store.read()] == ["RUNNING"] * 2


def test_a_question_between_two_trials_declares_nothing_again(tmp_path: Path) -> None:
    asked = oracle(max_trials=3)

    def score(model: dict[str, Any]) -> float:
        asked.get_best_trials()
        return float(model["width"])

    Tuner(asked, score, tmp_path).search()
    names = [hp.name for hp in asked.get_space().space]
    assert len(names) == len(set(names))


def test_an_objective_that_is_not_a_number_is_tried_again_and_fails(tmp_path: Path) -> None:
    runs: list[int] = []

    def score(model: dict[str, Any]) -> float:
        runs.append(model["width"])
        return math.nan if model["width"] == runs[0] else 1.0

    asked = oracle(max_trials=3, max_retries_per_trial=2)
    tuner = Tuner(asked, score, tmp_path)
    tuner.search()
    assert runs[:3] == [runs[0]] * 3 and len(runs) == 5
    assert [row.state.name for row in asked.store.read()] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert asked.store.read()[0].user_attrs["error"] == "the objective is not a number"
    assert asked.get_trial("0000").status == TrialStatus.FAILED


def test_a_trial_that_is_to_be_tried_again_is_invalid_until_then() -> None:
    asked = oracle(max_retries_per_trial=1)
    asked.hyperparameters.Int("width", 1, 64)
    trial = asked.create_trial("tuner")
    trial.status, trial.message = TrialStatus.INVALID, "ValueError: once"
    asked.end_trial(trial)
    asked.get_best_trials()
    assert asked.get_trial(trial.trial_id).status == TrialStatus.INVALID and not asked.end_order
    assert asked.create_trial("tuner").trial_id == trial.trial_id


def test_a_trial_that_succeeds_at_its_second_run_is_complete(tmp_path: Path) -> None:
    runs: list[int] = []

    def score(model: dict[str, Any]) -> float:
        runs.append(model["width"])
        if len(runs) == 1:
            raise ValueError("once")
        return 1.0

    asked = oracle(max_trials=2, max_retries_per_trial=1)
    Tuner(asked, score, tmp_path).search()
    assert runs[0] == runs[1] and len(runs) == 3
    assert [row.state.name for row in asked.store.read()] == ["COMPLETE"] * 2


@pytest.mark.parametrize("most", [1, 2, 4])
def test_consecutive_failures_end_the_search(most: int, tmp_path: Path) -> None:
    def score(model: dict[str, Any]) -> float:
        raise ValueError("too wide")

    asked = oracle(max_consecutive_failed_trials=most)
    with pytest.raises(RuntimeError, match=f"exceeded the limit of {most}.*\n.*too wide"):
        Tuner(asked, score, tmp_path).search()
    assert len(asked.store.read()) == most and "too wide" in str(asked.stopped_because)


def test_failures_that_are_not_consecutive_do_not(tmp_path: Path) -> None:
    runs: list[int] = []

    def score(model: dict[str, Any]) -> float:
        runs.append(1)
        if len(runs) % 3:
            raise ValueError("now and then")
        return 1.0

    asked = oracle(max_trials=7)
    Tuner(asked, score, tmp_path).search()
    assert len(runs) == 7


def test_a_model_without_hyperparameters_is_tried_once(tmp_path: Path) -> None:
    class Plain(BaseTuner):
        def run_trial(self, trial: Trial, *arguments: Any, **options: Any) -> dict[str, float]:
            return {"val_loss": 1.0}

    asked = oracle()
    Plain(asked, directory=tmp_path, project_name="project").search()
    assert len(asked.store.read()) == 1
    assert asked.stopped_because == "the space is exhausted: all of its 1 configurations have been tried"


def test_a_space_that_appears_while_the_first_trial_runs(tmp_path: Path) -> None:
    """Two workers: the second asks while the first has not declared anything yet."""
    asked = oracle(max_trials=4)
    first = asked.create_trial("one")
    assert asked.create_trial("two").status == TrialStatus.IDLE
    first.hyperparameters.Boolean("deep")
    asked.update_trial(first.trial_id, {"val_loss": 1.0})
    first.status = TrialStatus.COMPLETED
    asked.end_trial(first)
    assert asked.end_order == [first.trial_id]
    second = asked.create_trial("two")
    assert second.status == TrialStatus.RUNNING
    assert second.hyperparameters.get("deep") is not first.hyperparameters.get("deep")


def test_trials_are_shown_as_keras_tuner_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = memory()
    Tuner(oracle(storage=storage, max_trials=2), lambda model: 0.5, tmp_path).search(verbose=0)
    assert "Running Trial" not in capsys.readouterr().out
    Tuner(oracle(storage=storage, max_trials=3), lambda model: 0.25, tmp_path).search(verbose=1)
    shown = capsys.readouterr().out
    assert "Running Trial #3" in shown and "|width" in shown
    assert "Trial 3 Complete" in shown and "Best val_loss So Far: 0.25" in shown


def test_a_trial_that_ended_here_keeps_all_its_metrics(tmp_path: Path) -> None:
    class Measured(Tuner):
        def run_trial(self, trial: Trial, *arguments: Any, **options: Any) -> dict[str, float]:
            return super().run_trial(trial) | {"accuracy": 0.75}

    asked = oracle(max_trials=1)
    Measured(asked, lambda model: 0.5, tmp_path).search()
    (best,) = asked.get_best_trials()
    assert best.metrics.get_best_value("accuracy") == 0.75


def test_several_objectives_count_together(tmp_path: Path) -> None:
    objectives = [keras_tuner.Objective("val_loss", "min"), keras_tuner.Objective("accuracy", "max")]
    asked = OptunaOracle(objective=objectives, max_trials=2, seed=1)
    asked.hyperparameters.Int("width", 1, 64)
    trial = asked.create_trial("tuner")
    asked.update_trial(trial.trial_id, {"val_loss": 0.5, "accuracy": 0.75})
    trial.status = TrialStatus.COMPLETED
    asked.end_trial(trial)
    assert asked.get_best_trials()[0].score == -0.25
    with pytest.raises(ValueError, match="Objective value missing"):
        asked.update_trial(asked.create_trial("tuner").trial_id, {"val_loss": 0.5})
