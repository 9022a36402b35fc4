"""What configurations trade off, of trials with known histories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from models.training.history import Epoch, write_history
from reports.analysis.fronts import front, points
from reports.figures import FIGURES
from search.study.view import StudyView, TrialRecord

TRIALS = {
    # number: state, accuracy and macro-F1 of two epochs, parameters
    0: ("complete", [(0.60, 0.50), (0.70, 0.40)], 1000),
    1: ("complete", [(0.65, 0.55), (0.62, 0.58)], 500),
    2: ("resting", [(0.50, 0.60), (0.40, 0.65)], 2000),
    3: ("pruned", [(0.55, 0.45), (0.45, 0.45)], 400),
    4: ("complete", [(0.64, 0.30), (0.60, 0.30)], 600),
    5: ("failed", [(0.99, 0.99)], 100),
}


@pytest.fixture
def view(tmp_path: Path) -> StudyView:
    trials = []
    for number, (state, curve, parameters) in TRIALS.items():
        folder = tmp_path / f"{number:04d}"
        folder.mkdir()
        metrics = [{"accuracy": accuracy, "macro_f1": f1} for accuracy, f1 in curve]
        epochs = [Epoch(n, 1.0, 0.5, 1.0, 0.001, 1.0, metrics=m) for n, m in enumerate(metrics, 1)]
        write_history(folder / "history.csv", epochs)
        values = {n: m["accuracy"] for n, m in enumerate(metrics, 1)}
        record = TrialRecord(number, state, {}, max(values.values()), values, None, None, None, None, folder)
        trials.append(replace(record, network={"parameters": parameters, "bytes": 4 * parameters}))
    return StudyView("s", tmp_path, {}, trials, None, {}, optuna.create_study())


@pytest.mark.parametrize(
    ("objective", "found"),
    [
        ("accuracy", [(0.70, 0.40), (0.65, 0.55), (0.50, 0.60), (0.55, 0.45), (0.64, 0.30)]),
        ("macro_f1", [(0.60, 0.50), (0.62, 0.58), (0.40, 0.65), (0.55, 0.45), (0.64, 0.30)]),
    ],
)
def test_a_trial_stands_at_its_best_epoch_by_the_objective(
    objective: str, found: list[tuple[float, float]], view: StudyView
) -> None:
    view = replace(view, config={"arguments": {"objective": objective}})
    assert [(one.accuracy, one.macro_f1) for one in points(view)] == found


def test_the_fronts_are_of_those_that_none_surpasses(view: StudyView) -> None:
    known = points(view)
    assert [one.trial.number for one in front(known, lambda one: one.parameters or 0)] == [3, 1, 0]
    assert [one.trial.number for one in front(known, lambda one: -(one.macro_f1 or 0))] == [2, 1, 0]


@pytest.mark.parametrize(
    ("name", "x", "said"),
    [
        ("accuracy_against_macro_f1", (0.60, 0.55, 0.40), "70.0% (trial 0) with macro-F1 40.0%"),
        ("accuracy_against_size", (400, 500, 1000), "65.0% (trial 1) with 500 parameters"),
    ],
)
def test_they_are_drawn(name: str, x: tuple[float, ...], said: str, view: StudyView) -> None:
    drawn = FIGURES[name].draw(view)
    assert drawn is not None and said in drawn.layout.meta["shows"]
    stopped, complete, line = drawn.data
    assert line.x == x and (len(stopped.x), len(complete.x)) == (2, 3)


def test_networks_of_one_size_and_trials_without_histories_have_none(view: StudyView, tmp_path: Path) -> None:
    alike = [replace(trial, network={"parameters": 7}) for trial in view.trials]
    assert FIGURES["accuracy_against_size"].draw(replace(view, trials=alike)) is None
    lost = [replace(trial, directory=tmp_path / "nowhere") for trial in view.trials]
    assert FIGURES["accuracy_against_macro_f1"].draw(replace(view, trials=lost)) is None
