"""Every figure on every kind of study."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from sklearn.metrics import average_precision_score

from reports.analysis.workers import workers
from reports.figures import FIGURES, parallel_coordinates
from reports.figures.precision_recall import steps
from reports.html.page import SECTIONS
from reports.hyperparameters.declared import shown
from reports.hyperparameters.families import member
from reports.hyperparameters.importance import importances, what_mattered

DATA = {"class_distribution", "vote_distribution", "ambiguity"}
STARTED = {"optimisation_history", "learning_curves", "worker_timeline", "time_spent"} | DATA
COMPARED = {
    "importances",
    "contour",
    "score_against_cost",
    "parallel_coordinates",
    "freeze_rate_map",
    *(name for name in FIGURES if name.startswith("slice_")),
}
FRONTS = {"accuracy_against_macro_f1", "accuracy_against_size"}
"""Of history.csv files, which these studies have not; tests/reports/test_fronts.py writes some."""
UNSURE = {"importances", "contour"}
"""Drawn only where the trials tell what mattered beyond chance."""
DRAWN = {
    "full": set(FIGURES) - FRONTS,
    "running": STARTED | COMPARED,
    "one trial": set(FIGURES) - COMPARED - FRONTS,
    "none finished": STARTED,
    "only failures": STARTED,
    "no trials": DATA,
}
STATES = ("complete", "pruned", "failed", "running", "resting", "released", "queued")


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("name", FIGURES)
def test_draws_a_valid_figure_exactly_when_the_study_has_something_for_it(name, kind, study_of):
    drawn = FIGURES[name].draw(study_of(kind))
    assert name in UNSURE & DRAWN[kind] or (drawn is not None) == (name in DRAWN[kind])
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
    assert best.x[-1] == max(trial.number for trial in view.trials)


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


def coordinates(view):
    """Trial number -> axis -> (height, text), as the figure's points say."""
    found: dict[int, dict[str, tuple[float, str]]] = {}
    for trace in FIGURES["parallel_coordinates"].draw(view).data:
        if trace.mode != "text":
            for height, said in zip(trace.y, trace.customdata, strict=True):
                if said is not None:
                    found.setdefault(said[0], {})[said[1]] = (height, said[2])
    return found


def axis_ticks(view, axis):
    """Text -> height of the ticks of an axis."""
    drawn = FIGURES["parallel_coordinates"].draw(view)
    place = list(drawn.layout.xaxis.ticktext).index(axis)
    (ticks,) = [trace for trace in drawn.data if trace.mode == "text"]
    return {
        text: y
        for x, y, text in zip(ticks.x, ticks.y, ticks.text, strict=True)
        if round(x + 0.04, 6) == place
    }


def test_parallel_coordinates_read_back_as_the_trials_values(study_of):
    view = study_of("full")
    read = coordinates(view)
    trials = [t for t in view.trials if t.state in ("complete", "pruned") and t.score is not None]
    assert sorted(read) == [trial.number for trial in trials]
    assert all(len(axes) <= parallel_coordinates.MAX_AXES + 1 for axes in read.values())
    rates = {trial.number: math.log10(trial.hyperparameters["learning_rate"]) for trial in trials}
    low, high = min(rates.values()), max(rates.values())
    for trial in trials:
        axes = read[trial.number]
        assert axes["score"][1] == f"{trial.score:.2%}"
        assert axes["learning_rate"][0] == pytest.approx((rates[trial.number] - low) / (high - low), abs=1e-3)
        for name, (_, text) in axes.items():
            if name != "score":
                assert text == (shown(trial.hyperparameters[name]) if name in trial.hyperparameters else "–")


def test_parallel_coordinates_space_few_numeric_choices_evenly(study_of):
    view = study_of("full")
    trials = [
        replace(t, hyperparameters={"weight_decay": t.hyperparameters["weight_decay"]}) for t in view.trials
    ]
    ticks = axis_ticks(replace(view, trials=trials), "weight_decay")
    assert ticks == {"0": 0, "1e-05": 0.25, "0.0001": 0.5, "0.001": 0.75, "0.01": 1}


def test_parallel_coordinates_put_the_best_on_top_and_need_no_webgl(study_of):
    drawn = FIGURES["parallel_coordinates"].draw(study_of("full"))
    assert {trace.type for trace in drawn.data} == {"scatter"}
    lines = [trace for trace in drawn.data if trace.mode != "text"]
    ends = [max(y for y in trace.y[9::11]) for trace in lines]  # the score's axis is the tenth of each line
    assert ends == sorted(ends) and ends[-1] == 1


def test_parallel_coordinates_put_missing_conditional_values_at_the_dash(study_of):
    view = study_of("full")
    read = coordinates(view)
    names = {name for axes in read.values() for name in axes} - {"score"}
    absent = {
        name
        for name in names
        for trial in view.trials
        if trial.number in read and name not in trial.hyperparameters
    }
    assert absent
    for name in names:
        ticks = axis_ticks(view, name)
        assert ("–" in ticks) == (name in absent)
        for axes in read.values():
            assert (axes[name][1] == "–") == (axes[name][0] == ticks.get("–"))


def test_importances_are_bars_with_intervals_and_a_sentence(study_of):
    view = study_of("full", trials=200)
    shares = {one.name: one for one in importances(view)}
    assert next(iter(shares)) == "learning_rate" and {"freeze_before", "plateau_factor"} <= set(shares)
    drawn = FIGURES["importances"].draw(view)
    (bars,) = drawn.data
    assert bars.y[-1] == "learning rate" and drawn.layout.meta["shows"] == what_mattered(view)
    for name, x, plus, minus in zip(
        bars.customdata, bars.x, bars.error_x.array, bars.error_x.arrayminus, strict=True
    ):
        assert (x, x - minus, x + plus) == pytest.approx(
            (shares[name[0]].share, shares[name[0]].low, shares[name[0]].high)
        )


def test_slices_are_of_what_came_out_on_top(study_of):
    view = study_of("full", trials=200)
    order = [one.name for one in importances(view)]
    drawn = [FIGURES[f"slice_{place}"].draw(view).layout.xaxis.title.text for place in range(1, 5)]
    assert drawn == order[:4]


def test_the_contour_is_of_the_first_two_and_marks_every_trial(study_of):
    view = study_of("full", trials=200)
    first, second = [one.name for one in importances(view)][:2]
    drawn = FIGURES["contour"].draw(view)
    surface, dots = drawn.data
    assert (drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text) == (first, second)
    tried = [t for t in view.trials if t.state in ("complete", "pruned")]
    assert {said[0] for said in dots.customdata} <= {t.number for t in tried}
    scores = [t.score for t in tried]
    values = [z for row in surface.z for z in row]
    assert min(scores) - 0.1 < min(values) < max(values) < max(scores) + 0.1


def test_cost_is_the_time_of_an_epoch_and_the_line_never_falls(study_of):
    view = study_of("full")
    drawn = FIGURES["score_against_cost"].draw(view)
    *points, line = drawn.data
    costs = {said[0]: x for trace in points for said, x in zip(trace.customdata, trace.x, strict=True)}
    for trial in view.trials:
        if trial.number in costs:
            epochs = len(trial.values)
            assert costs[trial.number] == (trial.times["training"] + trial.times["validation"]) / epochs
    assert list(line.x) == sorted(line.x) and list(line.y) == sorted(line.y)
    assert max(line.y) == max(t.score for t in view.trials if t.state == "complete")


@pytest.mark.parametrize("name", FIGURES)
def test_the_text_alternative_says_what_the_figure_shows(name, study_of):
    drawn = FIGURES[name].draw(study_of("full"))
    if drawn is not None:
        shows = drawn.layout.meta["shows"]
        assert shows.endswith(".") and any(character.isdigit() for character in shows)
        assert shows != FIGURES[name].caption


def test_a_thousand_curves_are_the_ten_best_and_a_band(study_of):
    view = study_of("full", trials=1000)
    band, median, *lines = FIGURES["learning_curves"].draw(view).data
    best = sorted((t for t in view.trials if t.state == "complete"), key=lambda t: -t.score)[:10]
    assert {line.name for line in lines} == {f"trial {t.number}" for t in best}
    rest = [t for t in view.trials if t.values and t not in best]
    assert median.y[0] == pytest.approx(np.median([t.values[1] for t in rest]))
    assert max(band.y) < max(t.score for t in best)


def test_a_thousand_trials_of_few_workers_are_told_by_slices_of_time(study_of):
    view = study_of("full", trials=1000)
    (cells,) = FIGURES["worker_timeline"].draw(view).data
    found = workers(view.trials)
    assert len(cells.z) == len(found) == 4
    length = (max(w.last for w in found) - min(w.first for w in found)).total_seconds() / len(cells.x)
    for row, worker in zip(cells.z, found, strict=True):
        assert sum(row) * length == pytest.approx(worker.busy, rel=0.01)
    assert sum(sum(row) for row in cells.customdata) == sum(t.ended is not None for t in view.trials)


def test_precision_recall_steps_have_the_area_of_the_average_precision():
    rng = np.random.default_rng(0)
    positive = rng.random(60) < 0.3
    scores = (positive + rng.normal(0, 1, 60)).round(1)
    recall, precision = steps(positive, scores)
    assert list(recall) == sorted(set(recall)), "no vertical run"
    area = float((np.diff(recall) * precision[1:]).sum())
    assert area == pytest.approx(average_precision_score(positive, scores))


@pytest.mark.parametrize("place", range(4))
def test_a_slice_holds_every_scored_trial_that_has_the_hyperparameter_once(place, study_of):
    view = study_of("full")
    drawn = FIGURES[f"slice_{place + 1}"].draw(view)
    name = drawn.layout.xaxis.title.text
    points = {
        said[0]: (said[1], y)
        for trace in drawn.data
        if trace.mode == "markers"
        for said, y in zip(trace.customdata, trace.y, strict=True)
    }
    expected = {
        t.number: (shown(member(t.hyperparameters, name)[1]), t.score)
        for t in view.trials
        if t.state in ("complete", "pruned") and member(t.hyperparameters, name) is not None
    }
    assert points == expected


def test_a_slice_tells_the_conditions_of_a_hyperparameter_apart(study_of):
    view = study_of("full")
    only = [
        replace(
            t, hyperparameters={n: v for n, v in t.hyperparameters.items() if n.startswith("freeze_before")}
        )
        for t in view.trials
    ]
    drawn = FIGURES["slice_1"].draw(replace(view, trials=only))
    assert {trace.name for trace in drawn.data} == {
        "resnet50, complete",
        "resnet50, stopped",
        "senet50, complete",
        "senet50, stopped",
        "median of the complete",
    }


def test_the_map_shows_each_cells_best_score_and_number(study_of):
    view = study_of("full", trials=200)
    drawn = FIGURES["freeze_rate_map"].draw(view)
    assert len(drawn.data) == 2
    tried = [t for t in view.trials if t.state in ("complete", "pruned")]
    for trace, title in zip(drawn.data, drawn.layout.annotations, strict=True):
        own = [t for t in tried if t.hyperparameters["backbone"] == title.text]
        numbers = [int(text.rpartition(" ")[2]) for row in trace.text for text in row if text]
        assert sum(numbers) == len(own)
        assert max(z for row in trace.z for z in row if z is not None) == max(t.score for t in own)
        assert list(trace.y) == [
            str(d) for d in sorted({member(t.hyperparameters, "freeze_before")[1] for t in own})
        ]


def test_the_timeline_has_a_bar_per_started_trial_as_long_as_it_took(study_of):
    view = study_of("running")
    drawn = FIGURES["worker_timeline"].draw(view)
    bars = sum(len(trace.x) for trace in drawn.data)
    assert bars == sum(t.started is not None for t in view.trials)
    complete = next(trace for trace in drawn.data if trace.name == "complete")
    lengths = [s.seconds * 1000 for w in workers(view.trials) for s in w.spans if s.trial.state == "complete"]
    assert list(complete.x) == pytest.approx(lengths)
    assert len(set(complete.y)) == 4 and all(label.endswith("busy") for label in complete.y)


def test_reliability_and_precision_recall_are_those_of_the_predictions(study_of):
    view = study_of("full")
    drawn = {trace.name: trace for trace in FIGURES["reliability"].draw(view).data}
    ece = view.metrics["calibration"]["test"]["ece"]
    assert sum(drawn[f"test, ECE {ece:.1%}"].customdata) == 3275
    curves = FIGURES["precision_recall_test"].draw(view).data
    assert len(curves) == 8
    said = view.predictions["test"]
    expected = average_precision_score(said.labels == 0, said.probabilities[:, 0])
    assert curves[0].name == f"neutral {expected:.2f}"


def test_accuracy_by_agreement_counts_every_face(study_of):
    view = study_of("full")
    for trace, split in zip(FIGURES["accuracy_by_agreement"].draw(view).data, ("val", "test"), strict=True):
        assert sum(trace.customdata) == len(view.predictions[split].labels)
        mean = np.average(trace.y, weights=trace.customdata)
        assert mean == pytest.approx(view.predictions[split].accuracy)


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
    rates = [t for t in drawn.data if t.yaxis == "y4"]
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
    if drawn is None:
        assert name in UNSURE | FRONTS
        return
    assert "<b>" not in json.dumps(drawn.to_plotly_json(), default=str)
