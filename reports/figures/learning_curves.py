"""Learning curves of all trials."""

from __future__ import annotations

import plotly.graph_objects as go

from reports.analysis.trials import STATES
from reports.figures.style import ACCENT, STATE_COLOURS, figure
from reports.figures.ticks import ACCURACY_AXIS, whole_axis
from search.study.view import StudyView, TrialRecord, best_trial

FEW = 60
"""Curves of one state up to which each value gets a mark; more would be a smear."""
_END_MARKS = {"pruned": "diamond", "failed": "x"}


def draw(view: StudyView) -> go.Figure | None:
    """One line trace per state ("complete", "pruned", ...), a trace of end marks for pruned and failed trials
    ("pruned here", "failed here"), and the best complete trial on top ("best: trial N").

    All curves of a state share one trace, broken by gaps: a thousand traces would make the page unusable.
    """
    curves = [trial for trial in view.trials if trial.values]
    if not curves:
        return None
    best = best_trial(view.trials)
    traces = []
    for state in STATES:
        of_state = [trial for trial in curves if trial.state == state and trial is not best]
        if of_state:
            traces.append(_lines(state, of_state))
        if of_state and state in _END_MARKS:
            traces.append(_ends(state, of_state))
    if best is not None and best.values:
        traces.append(_best(best))
    return figure(
        *traces,
        showlegend=True,
        xaxis={"title": {"text": "epoch"}, **whole_axis(epoch for trial in curves for epoch in trial.values)},
        yaxis={"title": {"text": "validation accuracy"}, **ACCURACY_AXIS},
    )


def _lines(state: str, trials: list[TrialRecord]) -> go.Scatter:
    few = len(trials) <= FEW
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        epochs = sorted(trial.values)
        x += [*epochs, None]
        y += [*(trial.values[epoch] for epoch in epochs), None]
        numbers += [trial.number] * len(epochs) + [None]
    return go.Scatter(
        name=state,
        x=x,
        y=y,
        customdata=numbers,
        mode="lines+markers" if few else "lines",
        marker={"size": 4},
        line={"color": STATE_COLOURS[state], "width": 1},
        opacity=0.7 if few else 0.35,
        hovertemplate="trial %{customdata}, epoch %{x}: %{y:.2%}<extra>" + state + "</extra>",
    )


def _ends(state: str, trials: list[TrialRecord]) -> go.Scatter:
    few = len(trials) <= FEW
    last = [max(trial.values) for trial in trials]
    return go.Scatter(
        name=f"{state} here",
        x=last,
        y=[trial.values[epoch] for trial, epoch in zip(trials, last, strict=True)],
        customdata=[trial.number for trial in trials],
        mode="markers",
        marker={"symbol": _END_MARKS[state], "size": 7 if few else 5, "color": STATE_COLOURS[state]},
        opacity=0.9 if few else 0.6,
        hovertemplate="trial %{customdata} " + state + " after epoch %{x}: %{y:.2%}<extra></extra>",
    )


def _best(trial: TrialRecord) -> go.Scatter:
    epochs = sorted(trial.values)
    return go.Scatter(
        name=f"best: trial {trial.number}",
        x=epochs,
        y=[trial.values[epoch] for epoch in epochs],
        mode="lines+markers",
        line={"color": ACCENT, "width": 2.5},
        marker={"size": 5},
        hovertemplate=f"trial {trial.number}, epoch %{{x}}: %{{y:.2%}}<extra>best</extra>",
    )
