"""Every figure on every kind of study."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from reports.figures import FIGURES, parallel_coordinates
from reports.figures.importances import MIN_TRIALS, importances
from reports.page import SECTIONS

DRAWN = {
    "full": set(FIGURES),
    "running": {"optimisation_history", "learning_curves", "parameter_importances", "parallel_coordinates"},
    "one trial": set(FIGURES) - {"parameter_importances", "parallel_coordinates"},
    "none finished": {"optimisation_history", "learning_curves"},
    "only failures": {"optimisation_history", "learning_curves"},
    "no trials": set(),
}
STATES = ("complete", "pruned", "failed", "running", "waiting")


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("name", FIGURES)
def test_draws_a_valid_figure_exactly_when_the_study_has_something_for_it(name, kind, study_of):
    drawn = FIGURES[name].draw(study_of(kind))
    assert (drawn is not None) == (name in DRAWN[kind])
    if drawn is not None:
        assert drawn.data
        go.Figure(json.loads(drawn.to_json()))


@pytest.mark.parametrize("name", FIGURES)
def test_entry_says_what_it_shows_and_where(name):
    entry = FIGURES[name]
    assert entry.section in SECTIONS
    assert entry.caption.endswith(".") and entry.empty.endswith(".") and not entry.title.endswith(".")


@pytest.mark.parametrize("kind", [kind for kind in DRAWN if kind != "no trials"])
def test_history_has_a_point_for_every_trial_of_every_state(kind, study_of):
    view = study_of(kind)
    drawn = FIGURES["optimisation_history"].draw(view)
    for state in STATES:
        numbers = sorted(x for trace in drawn.data if trace.name == state for x in trace.x)
        assert numbers == [trial.number for trial in view.trials if trial.state == state]


def test_history_puts_scores_on_the_accuracy_axis_and_the_rest_on_the_edge(study_of):
    view = study_of("full")
    by_number = {trial.number: trial for trial in view.trials}
    for trace in FIGURES["optimisation_history"].draw(view).data:
        if trace.name == "best so far":
            continue
        for number, y in zip(trace.x, trace.y, strict=True):
            score = by_number[number].score
            assert (trace.yaxis == "y2") == (score is None)
            assert score is None or y == score


def test_best_so_far_never_falls_and_ends_at_the_best_complete_score(study_of):
    view = study_of("full")
    best = next(t for t in FIGURES["optimisation_history"].draw(view).data if t.name == "best so far")
    complete = [trial.score for trial in view.trials if trial.state == "complete"]
    assert all(a <= b for a, b in zip(best.y, best.y[1:], strict=False))
    assert best.y[0] == complete[0] and best.y[-1] == max(complete)


@pytest.mark.parametrize("name", ["optimisation_history", "learning_curves", "retraining_curves"])
def test_whole_numbers_get_whole_ticks_however_few_there_are(name, study_of):
    axes = [FIGURES[name].draw(study_of(kind)).layout.xaxis for kind in ("one trial", "full")]
    assert all(axis.tickformat == "d" for axis in axes)
    assert name != "optimisation_history" or [axis.dtick for axis in axes] == [1, None]


def test_curves_hold_every_value_once_and_mark_every_pruned_end(study_of):
    view = study_of("full")
    traces = {trace.name: trace for trace in FIGURES["learning_curves"].draw(view).data}
    lines = [t for name, t in traces.items() if not name.endswith(" here")]
    drawn = sorted(y for trace in lines for y in trace.y if y is not None)
    assert drawn == sorted(value for trial in view.trials for value in trial.values.values())
    pruned = [trial for trial in view.trials if trial.state == "pruned"]
    assert list(traces["pruned here"].x) == [max(trial.values) for trial in pruned]
    assert list(traces["pruned here"].y) == [trial.values[max(trial.values)] for trial in pruned]


def test_importances_find_the_hyperparameter_that_made_the_difference(study_of):
    view = study_of("full", trials=300)
    shares = importances(view.trials)
    assert next(iter(shares)) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(1)
    assert {"backbone", "plateau_factor", "freeze_before@resnet50"} <= set(shares)
    drawn = FIGURES["parameter_importances"].draw(view).data[0]
    assert dict(zip(drawn.y, drawn.x, strict=True)) == shares


def test_importances_ask_for_enough_complete_trials_with_differing_scores(study_of):
    complete = [trial for trial in study_of("full").trials if trial.state == "complete"]
    assert importances(complete[:MIN_TRIALS])
    assert not importances(complete[: MIN_TRIALS - 1])
    assert not importances([replace(trial, score=0.5) for trial in complete])


def test_importances_leave_the_users_optuna_logging_alone(study_of, capfd):
    importances(study_of("full").trials)
    assert "study created" not in capfd.readouterr().err


def test_parallel_coordinates_read_back_as_the_trials_values(study_of):
    view = study_of("full")
    parcoords = FIGURES["parallel_coordinates"].draw(view).data[0]
    trials = [t for s in ("complete", "pruned") for t in view.trials if t.state == s and t.score is not None]
    axes = {axis.label: axis for axis in parcoords.dimensions}
    assert len(axes) <= parallel_coordinates.MAX_AXES + 1
    rates = [trial.hyperparameters["learning_rate"] for trial in trials]
    np.testing.assert_allclose(10 ** np.asarray(axes["learning_rate"]["values"], float), rates)
    np.testing.assert_allclose(axes["score"]["values"], [trial.score for trial in trials])
    policies = dict(zip(axes["lr_policy"].tickvals, axes["lr_policy"].ticktext, strict=True))
    assert [policies[v] for v in axes["lr_policy"]["values"]] == [
        t.hyperparameters["lr_policy"] for t in trials
    ]


def test_parallel_coordinates_space_few_numeric_choices_evenly(study_of):
    view = study_of("full")
    trials = [
        replace(t, hyperparameters={"weight_decay": t.hyperparameters["weight_decay"]}) for t in view.trials
    ]
    axis = FIGURES["parallel_coordinates"].draw(replace(view, trials=trials)).data[0].dimensions[0]
    assert list(axis.tickvals) == [0, 1, 2, 3, 4]
    assert list(axis.ticktext) == ["0", "1e-05", "0.0001", "0.001", "0.01"]


def test_importances_see_differences_between_tiny_choices(study_of):
    decays = [0.0, 1e-5, 1e-4, 1e-3]
    trials = [
        replace(
            t,
            hyperparameters={"weight_decay": decays[i % 4], "dropout": i % 7 / 10},
            score=0.5 + (i % 4 == 1) / 4,
        )
        for i, t in enumerate(
            trial for trial in study_of("full", trials=120).trials if trial.state == "complete"
        )
    ]
    shares = importances(trials)
    assert shares["weight_decay"] > 0.8


def test_parallel_coordinates_put_missing_conditional_values_at_the_dash(study_of):
    view = study_of("full")
    parcoords = FIGURES["parallel_coordinates"].draw(view).data[0]
    trials = [t for s in ("complete", "pruned") for t in view.trials if t.state == s and t.score is not None]
    for axis in parcoords.dimensions:
        assert not any(value is None or np.isnan(value) for value in axis["values"])
        absent = [axis.label != "score" and axis.label not in trial.hyperparameters for trial in trials]
        ticks = dict(zip(axis.ticktext, axis.tickvals, strict=True))
        assert ("–" in ticks) == any(absent)
        if any(absent):
            assert [value == ticks["–"] for value in axis["values"]] == absent
            assert ticks["–"] == min(axis.tickvals) == axis.range[0]


@pytest.mark.parametrize("split", ["val", "test"])
def test_confusion_cells_hold_counts_and_shares_of_the_row(split, study_of):
    view = study_of("full")
    cells = FIGURES[f"confusion_{split}"].draw(view).data[0]
    counts = np.array(view.metrics["confusion"][split])
    np.testing.assert_array_equal(cells.customdata, counts)
    np.testing.assert_allclose(np.sum(cells.z, axis=1), 1)
    assert cells.text[0][0] == f"{counts[0, 0]}<br>{counts[0, 0] / counts[0].sum():.0%}"
    assert list(cells.y) == [row["emotion"] for row in view.metrics["per_class"][split]]


def test_confusion_row_without_images_has_no_shares(study_of):
    view = study_of("full")
    empty = [[0] * 8 if row == 5 else counts for row, counts in enumerate(view.metrics["confusion"]["test"])]
    metrics = {**view.metrics, "confusion": {"test": empty}}
    cells = FIGURES["confusion_test"].draw(replace(view, metrics=metrics)).data[0]
    assert list(cells.text[5]) == ["0"] * 8


def test_retraining_shows_every_run_with_training_and_validation(study_of):
    view = study_of("full")
    drawn = FIGURES["retraining_curves"].draw(view)
    assert len(drawn.data) == 5 * len(view.histories)
    assert {trace.name for trace in drawn.data if trace.showlegend} == set(view.histories)
    rates = [t for t in drawn.data if t.yaxis == "y3"]
    assert list(rates[0].y) == list(view.histories["seed 0"]["learning_rate"])


def test_per_class_bars_are_the_metrics(study_of):
    view = study_of("full")
    bars = [trace for trace in FIGURES["per_class"].draw(view).data if trace.name == "F1"]
    expected = [[row["f1"] for row in view.metrics["per_class"][split]] for split in ("val", "test")]
    assert [list(bar.y) for bar in bars] == expected


@pytest.mark.parametrize("name", FIGURES)
def test_what_a_user_typed_never_becomes_markup_in_a_plot(name, study_of):
    view = study_of("full")
    marked = "<b>bold</b>"
    trials = [
        replace(t, hyperparameters={**t.hyperparameters, marked: marked + str(t.number % 2)}, error=marked)
        for t in view.trials
    ]
    drawn = FIGURES[name].draw(replace(view, trials=trials))
    parcoords = drawn.data[0].type == "parcoords"
    assert parcoords or "<b>" not in json.dumps(drawn.to_plotly_json(), default=str)
