"""The report of a small study, made by hand, of an objective of either direction: what is best, and what it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import plotly.graph_objects as go
import pytest

from models.metrics.objectives import OBJECTIVES
from reports.figures import FIGURES
from reports.html.page import render
from reports.html.trial_table import trial_table
from search.study.view import StudyView, TrialRecord

NAMES = {
    "accuracy": "validation accuracy",
    "macro_f1": "validation macro-F1",
    "balanced_accuracy": "validation balanced accuracy",
    "nll_majority": "validation NLL (majority label), lower is better",
    "nll_votes": "validation NLL (annotators' votes), lower is better",
}
SETTINGS = [
    # state, freeze index, learning rate, seconds of an epoch
    ("complete", 0, 2e-4, 10.0),
    ("complete", 0, 2.5e-4, 20.0),
    ("pruned", -12, 2e-4, 30.0),
    ("resting", -12, 2e-3, 40.0),
    ("complete", 0, 2e-3, 15.0),
    ("failed", 0, 2e-3, 5.0),
    ("queued", 0, 2e-3, 0.0),
]
CURVES = {
    "max": [[0.40, 0.50], [0.45, 0.70], [0.30], [0.75], [0.60, 0.65], [0.99], []],
    "min": [[0.90, 0.80], [0.85, 0.60], [1.20], [0.55], [0.70, 0.65], [0.01], []],
}


@dataclass(frozen=True)
class Golden:
    """What the report of the study has to say."""

    objective: str
    best_so_far: list[float]
    front: list[float]
    map: list[list[float | None]]
    texts: dict[str, str]
    """Of trial 3, the best, with the digits of sentences and of tables, and of trial 0."""


GOLDEN = [
    Golden(
        "macro_f1",
        [0.50, 0.70, 0.75, 0.75, 0.75],
        [0.50, 0.65, 0.70, 0.75],
        [[0.30, None, 0.75], [0.70, None, 0.65]],
        {"best": "75.0%", "table": "75.00%", "first": "50.0%"},
    ),
    Golden(
        "nll_votes",
        [0.80, 0.60, 0.55, 0.55, 0.55],
        [0.80, 0.65, 0.60, 0.55],
        [[1.20, None, 0.55], [0.60, None, 0.65]],
        {"best": "0.550", "table": "0.5500", "first": "0.800"},
    ),
]


def study(objective: str) -> StudyView:
    """Seven trials: the third best by number rests at its rung and is the best, a failed one had the best score of all."""
    direction = OBJECTIVES[objective].direction
    trials = []
    for number, ((state, depth, rate, pace), curve) in enumerate(
        zip(SETTINGS, CURVES[direction], strict=True)
    ):
        best = (max if direction == "max" else min)(curve, default=None)
        values = dict(enumerate(curve, 1))
        chosen: dict[str, Any] = {"backbone": "small", "freeze_before": depth, "learning_rate": rate}
        record = TrialRecord(number, state, chosen, best, values, None, None, None, None, Path("none"))
        trials.append(replace(record, times={"training": pace * len(curve)}, minimized=direction == "min"))
    config = {"arguments": {"objective": objective, "epochs": 2, "trials": 7}}
    return StudyView("s", Path("runs/s"), config, trials, None, {}, optuna.create_study())


def drawn(name: str, view: StudyView) -> go.Figure:
    found = FIGURES[name].draw(view)
    assert found is not None
    return found


def shows(name: str, view: StudyView) -> str:
    return str(drawn(name, view).layout.meta["shows"])


of_either = pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.objective)


@of_either
def test_the_best_so_far_is_the_best_by_the_objective(golden: Golden) -> None:
    view = study(golden.objective)
    line = next(t for t in drawn("optimisation_history", view).data if t.name == "best so far")
    assert (list(line.x), list(line.y)) == ([0, 1, 3, 4, 6], golden.best_so_far)
    queued = next(t for t in drawn("optimisation_history", view).data if t.name == "queued")
    assert queued.yaxis == "y2" and queued.y[0] == (0.98 if golden.objective == "nll_votes" else 0.02)
    label, texts = OBJECTIVES[golden.objective].label, golden.texts
    assert shows("optimisation_history", view).endswith(
        f"The best validation {label} went from {texts['first']} (trial 0) to {texts['best']} (trial 3)."
    )


@of_either
def test_the_table_is_in_the_order_of_the_search_and_marks_its_best(golden: Golden) -> None:
    view = study(golden.objective)
    rows = trial_table(view).rows
    assert [row.trial.number for row in rows] == [3, 1, 4, 0, 2, 5, 6]
    assert [row.trial.number for row in rows if row.best] == [3]
    page = render(view)
    table = page.split('<table class="trials">')[1].split("</table>")[0]
    assert f">{golden.texts['table']}</td>" in table
    assert f'title="{NAMES[golden.objective]}: the best of an epoch' in table.replace("&#39;", "'")
    assert (
        "validation accuracy" not in table and "alidation accuracy" not in page.split('id="curve"')[1][:200]
    )


@of_either
def test_curves_slices_and_costs_name_the_best(golden: Golden) -> None:
    view, best = study(golden.objective), golden.texts["best"]
    label = OBJECTIVES[golden.objective].label
    assert [t.name for t in drawn("learning_curves", view).data][-1] == "best: trial 3"
    assert shows("learning_curves", view) == (
        f"Validation {label} over the epochs of 6 trials; the best, trial 3, reached {best} in 1 epochs."
    )
    assert shows("slice_1", view) == (
        f"Validation {label} of 5 trials against freeze index; the best, {best}, is trial 3's at -12."
    )
    costs = drawn("score_against_cost", view)
    assert list(costs.data[-1].x) == [10, 15, 20, 40] and list(costs.data[-1].y) == golden.front
    assert shows("score_against_cost", view).endswith(f"; {best} at 40 s an epoch (trial 3).")
    assert costs.layout.meta["title"] == f"{label[:1].upper()}{label[1:]} against cost"


@of_either
def test_the_map_holds_the_best_of_each_cell_and_the_best_is_the_dark_end(golden: Golden) -> None:
    view = study(golden.objective)
    (cells,) = drawn("freeze_rate_map", view).data
    assert [list(row) for row in cells.z] == golden.map
    assert cells.reversescale == (OBJECTIVES[golden.objective].direction == "min")
    assert cells.text[0][2] == f"{golden.texts['best']}<br>n 1" and cells.text[1][0].endswith("n 2")
    label = OBJECTIVES[golden.objective].label
    assert shows("freeze_rate_map", view).startswith(
        f"Best validation {label}: small {golden.texts['best']} at freeze index -12 and learning rate 0.001"
    )


@of_either
def test_the_best_line_of_the_parallel_coordinates_is_the_brightest_and_on_top(golden: Golden) -> None:
    view = study(golden.objective)
    *lines, ticks = drawn("parallel_coordinates", view).data
    best = [said for said in lines[-1].customdata if said is not None]
    assert {said[0] for said in best} == {3} and lines[-1].line.color == "rgb(217, 105, 15)"
    assert best[-1] == [3, "score", golden.texts["table"]] and lines[-1].y[2] == 1
    on_score = {
        y: text for x, y, text in zip(ticks.x, ticks.y, ticks.text, strict=True) if round(x + 0.04) == 2
    }
    assert on_score[1] == golden.texts["best"]


@of_either
def test_of_many_curves_the_ten_best_have_a_line(golden: Golden) -> None:
    view = study(golden.objective)
    trials = [
        replace(view.trials[0], number=number, score=0.3 + number / 200, values={1: 0.3 + number / 200})
        for number in range(70)
    ]
    lines = drawn("learning_curves", replace(view, trials=trials)).data[2:]
    best = range(60, 70) if golden.objective == "macro_f1" else range(9, -1, -1)
    assert [line.name for line in lines] == [f"trial {number}" for number in best]


ON_SCORE_AXES = ("optimisation_history", "learning_curves", "slice_1", "score_against_cost")


@pytest.mark.parametrize("name", (*ON_SCORE_AXES, "freeze_rate_map", "parallel_coordinates"))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_figure_of_scores_names_them_and_writes_them_in_their_unit(name: str, objective: str) -> None:
    view = study(objective)
    found = drawn(name, view)
    text = found.to_json()
    if name in ON_SCORE_AXES:
        assert found.layout.yaxis.title.text.replace("<br>", ", ") == NAMES[objective]
        assert (found.layout.yaxis.tickformat == ".0%") == (OBJECTIVES[objective].unit == "share")
    assert ("accuracy" in text) <= ("accuracy" in objective)
    assert ("%}" in text or "0%" in text) <= (OBJECTIVES[objective].unit == "share")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_study_knows_its_objective(objective: str) -> None:
    assert study(objective).objective is OBJECTIVES[objective]
    assert replace(study(objective), config={}).objective is OBJECTIVES["accuracy"]


def test_of_a_loss_everything_that_mattered_is_what_it_is_of_its_mirror_image(
    study_of: Callable[..., StudyView], as_loss: Callable[[StudyView], StudyView]
) -> None:
    view = study_of("full", trials=200)
    loss = as_loss(view)
    bars, mirrored = (drawn("importances", one).data[0] for one in (view, loss))
    assert list(bars.y) == list(mirrored.y) and list(bars.x) == pytest.approx(list(mirrored.x), abs=1e-3)
    surface, lowest = (drawn("contour", one) for one in (view, loss))
    assert lowest.data[0].reversescale and not surface.data[0].reversescale
    assert lowest.data[0].z == pytest.approx(2 - surface.data[0].z, abs=1e-3)
    best = [shows("contour", one).partition("best at ")[2] for one in (view, loss)]
    assert best[0] == best[1] != ""
    assert lowest.data[0].colorbar.tickformat == ".2f"
    assert [row.trial.number for row in trial_table(loss).rows] == [
        row.trial.number for row in trial_table(view).rows
    ]
