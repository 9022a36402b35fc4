"""Studies of ours as tasks of the simulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import optuna
import pytest

from benchmarks.oracles import main
from benchmarks.simulator.recorded import Distances
from benchmarks.simulator.tasks import Task, task_loaders
from benchmarks.simulator.tellings import TELLINGS, tell
from models.metrics.objectives import OBJECTIVES
from search.oracles.space.hyperparameters import Hyperparameter
from search.storages.registry import open_storage, open_study


def test_the_nearest_recorded_trial_is_by_scale_order_and_category() -> None:
    plain: dict[str, Any] = {"values": None, "step": None, "conditions": []}
    space = [
        {"name": "optimizer", "kind": "choice", **plain, "values": ["a", "b"], "ordered": False},
        {"name": "rate", "kind": "float", **plain, "low": 1e-4, "high": 1.0, "scale": "log", "ordered": True},
        {"name": "size", "kind": "choice", **plain, "values": [32, 64, 512], "ordered": True},
        {
            "name": "momentum",
            "kind": "float",
            **plain,
            "low": 0.0,
            "high": 1.0,
            "scale": "linear",
            "ordered": True,
        },
    ]
    recorded = [
        {"optimizer": "a", "rate": 1e-4, "size": 32},
        {"optimizer": "a", "rate": 1e-2, "size": 64},
        {"optimizer": "b", "rate": 1.0, "size": 512, "momentum": 0.5},
    ]
    apart = Distances(space, recorded).to({"optimizer": "a", "rate": 1e-3, "size": 512})
    assert apart == pytest.approx([0.25**2 + 1, 0.25**2 + 0.25, 1 + 0.75**2 + 1])


SPACE: list[dict[str, Any]] = [
    {"name": "optimizer", "kind": "choice", "values": ["adamw", "sgd"], "ordered": False},
    {"name": "rate@adamw", "kind": "float", "low": 1e-4, "high": 1e-2, "scale": "log"},
    {"name": "rate@sgd", "kind": "float", "low": 1e-2, "high": 1.0, "scale": "log"},
    {"name": "size", "kind": "choice", "values": [16, 32, 64], "ordered": True},
    {"name": "backbone", "kind": "fixed", "values": ["small"], "ordered": False},
]


def recorded_run(folder: Path, objective: str = "accuracy") -> Path:
    """A run directory with a study of 24 complete trials and two stopped ones. A trial's accuracy is a hundredth of its size, its
    loss 1 less that."""
    loss = OBJECTIVES[objective].direction == "min"
    plain = {
        "values": None,
        "ordered": True,
        "low": None,
        "high": None,
        "step": None,
        "scale": "linear",
        "conditions": [],
    }
    space = [plain | one for one in SPACE]
    for one in space[1:3]:
        one["conditions"] = [["optimizer", [one["name"].partition("@")[2]]]]
    described = {
        one["name"]: Hyperparameter(
            **{name: value for name, value in one.items() if name != "field"}, default=None
        )
        for one in space
    }
    run = folder / "mine"
    run.mkdir()
    data = {
        "source": "mine",
        "fingerprint": "0",
        "counts": {split: [1] * 8 for split in ("train", "val", "test")},
    }
    config = {
        "study": "mine",
        "arguments": {"epochs": 3, "objective": objective},
        "data": data,
        "space": space,
    }
    (run / "config.json").write_text(json.dumps(config))
    storage, direction = open_storage(f"sqlite:///{run / 'study.db'}"), "minimize" if loss else "maximize"
    study = open_study(storage, "mine", direction=direction, metric=f"val_{objective}").study
    for number in range(26):
        optimizer, size = ["adamw", "sgd"][number % 2], [16, 32, 64][number % 3]
        params = {"optimizer": optimizer, f"rate@{optimizer}": 1e-2, "size": size, "backbone": "small"}
        distributions = {name: described[name].distribution() for name in params}
        epochs = 3 if number < 24 else 2
        state = "complete" if epochs == 3 else "pruned"
        reached = {epoch: size / 100 * epoch / 3 for epoch in range(1, epochs + 1)}
        trial = optuna.create_trial(
            state=optuna.trial.TrialState[state.upper()],
            value=1 - size / 100 if loss else size / 100,
            params=params,
            distributions=distributions,
            user_attrs={"state": state},
            intermediate_values={epoch: 1 - value if loss else value for epoch, value in reached.items()},
        )
        study.add_trial(trial)
    return run


def test_a_study_of_ours_becomes_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.simulator.recorded.FOLDER", tmp_path / "curves")
    assert main(["--record", str(recorded_run(tmp_path))]) == 0
    assert str(tmp_path / "curves" / "mine.json") in capsys.readouterr().out
    task = task_loaders(["recorded-mine"], tmp_path)["recorded-mine"]()
    assert (task.epochs, task.best, task.median) == (3, 0.64, 0.32)
    assert task.curves([{"optimizer": "sgd", "rate@sgd": 0.02, "size": 64}]) == pytest.approx(
        np.array([[0.64 / 3, 1.28 / 3, 0.64]]), abs=1e-4
    )
    assert main(["--tasks", "recorded-mine", "--methods", "random", "--budgets", "6", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["random"]["6"]
    assert found["mean"] in (0.0, 1.0, 1.5)


def test_a_study_of_a_loss_becomes_a_task_of_that_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.simulator.recorded.FOLDER", tmp_path / "curves")
    run = recorded_run(tmp_path, "nll_votes")
    header, row = "epoch,val_accuracy,val_nll_votes", "{},0.5,{}"
    for number, size, epochs in ((0, 16, 3), (1, 32, 2)):  # whole, and of another length than the trial
        rows = [row.format(epoch, 1 - size / 100 * epoch / 3) for epoch in range(1, epochs + 1)]
        (run / "trials" / f"{number:04d}").mkdir(parents=True)
        (run / "trials" / f"{number:04d}" / "history.csv").write_text("\n".join([header, *rows]))
    assert main(["--record", str(run)]) == 0
    content = json.loads((tmp_path / "curves" / "mine.json").read_text())
    assert content["objective"] == "val_nll_votes"
    first, *others = [trial["metrics"] for trial in content["trials"]]
    assert first["val_accuracy"] == [0.5] * 3 and first["val_nll_votes"] == [0.94667, 0.89333, 0.84]
    assert all(set(other) == {"val_nll_votes"} for other in others)
    task = task_loaders(["recorded-mine"], tmp_path)["recorded-mine"]()
    assert (task.best, task.median) == (pytest.approx(np.exp(-0.36)), pytest.approx(np.exp(-0.68)))
    asked = [{"optimizer": "sgd", "rate@sgd": 0.02, "size": 64}]
    assert task.curves(asked)[0, -1] == pytest.approx(np.exp(-0.36))


@pytest.mark.parametrize("telling", TELLINGS)
def test_a_recorded_task_is_told_as_it_was_searched(telling: str) -> None:
    def declare(hp: Any) -> None:
        hp.Choice("optimizer", ["adamw", "sgd"])
        hp.Float("rate", 1e-4, 1.0, sampling="log")

    told = tell(Task("mine", 4, lambda rows: np.zeros((len(rows), 4)), 1.0, 0.0, declare=declare), telling)
    plain, hp = keras_tuner.HyperParameters(), keras_tuner.HyperParameters()
    declare(plain)
    told.declare(hp)
    own = [one.get_config() for one in hp.space if not one.name.startswith("idle_")]
    assert own == [one.get_config() for one in plain.space]
    assert len(hp.space) - len(own) == (8 if telling == "idle" else 0)
