"""Learning curves: of all trials, or of the ten best with a band for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from reports.analysis.trials import STATES, STOPPED, best_first
from reports.figures.score import score_axis
from reports.figures.style import ACCENT, NEUTRAL, SERIES, STATE_COLOURS, figure
from reports.figures.ticks import whole_axis
from search.study.view import StudyView, TrialRecord, best_trial

FEW = 60
"""Trials up to which each has its own line; more would be a smear."""
TOP = 10
"""Of more trials, those that have a line of their own."""
_END_MARKS = {**dict.fromkeys(STOPPED, "diamond"), "failed": "x"}


def draw(view: StudyView) -> go.Figure | None:
    """Up to FEW trials: one line trace per state ("complete", "pruned", ...), a trace of end marks for stopped and failed
    trials ("pruned here", "failed here"), and the best trial on top ("best: trial N"). More: a line for each of the
    TOP best, and of the others the median and the band that holds 80 of 100 of those that reached the epoch.
    """
    curves = [trial for trial in view.trials if trial.values]
    if not curves:
        return None
    best = best_trial(view.trials)
    label, hover = view.objective.label, view.objective.format(2)
    traces = _every(curves, best, hover) if len(curves) <= FEW else _top_and_band(curves, hover)
    said = best or max(curves, key=lambda trial: trial.merit)
    return figure(
        *traces,
        shows=f"Validation {label} over the epochs of {len(curves):,} trials; the best, trial {said.number}, reached "
        f"{said.score:{view.objective.format()}} in {len(said.values)} epochs.",
        caption=None
        if len(curves) <= FEW
        else f"Validation {label} after every epoch of the {TOP} best trials; of the other {len(curves) - TOP:,} the median and "
        "the band that holds eight in ten of those that reached the epoch.",
        showlegend=True,
        xaxis={"title": {"text": "epoch"}, **whole_axis(epoch for trial in curves for epoch in trial.values)},
        yaxis=score_axis(view.objective),
    )


def _every(curves: list[TrialRecord], best: TrialRecord | None, hover: str) -> list[go.Scatter]:
    traces = []
    for state in STATES:
        of_state = [trial for trial in curves if trial.state == state and trial is not best]
        if of_state:
            traces.append(_lines(state, of_state, hover))
        if of_state and state in _END_MARKS:
            traces.append(_ends(state, of_state, hover))
    if best is not None and best.values:
        traces.append(_own(best, f"best: trial {best.number}", ACCENT, 2.5, hover))
    return traces


def _top_and_band(curves: list[TrialRecord], hover: str) -> list[go.Scatter]:
    order = best_first(curves)
    top, rest = order[:TOP], order[TOP:]
    epochs = sorted({epoch for trial in rest for epoch in trial.values})
    reached = [[trial.values[epoch] for trial in rest if epoch in trial.values] for epoch in epochs]
    low, middle, high = ([float(np.quantile(values, part)) for values in reached] for part in (0.1, 0.5, 0.9))
    band = go.Scatter(
        name=f"eight in ten of the other {len(rest):,}",
        x=[*epochs, *reversed(epochs)],
        y=[*high, *reversed(low)],
        mode="lines",
        fill="toself",
        fillcolor="rgba(128, 138, 150, 0.22)",
        line={"width": 0},
        hoverinfo="skip",
    )
    median = go.Scatter(
        name="their median",
        x=epochs,
        y=middle,
        customdata=[len(values) for values in reached],
        mode="lines",
        line={"color": NEUTRAL, "width": 2, "dash": "dash"},
        hovertemplate=f"epoch %{{x}}: median %{{y:{hover}}} of %{{customdata}} trials<extra></extra>",
    )
    lines = [
        _own(
            trial,
            f"trial {trial.number}",
            ACCENT if index == 0 else SERIES[index % len(SERIES)],
            2.5 if index == 0 else 1.2,
            hover,
        )
        for index, trial in enumerate(top)
    ]
    return [band, median, *reversed(lines)]


def _lines(state: str, trials: list[TrialRecord], hover: str) -> go.Scatter:
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[list[Any]] = []
    for trial in trials:
        epochs = sorted(trial.values)
        x += [*epochs, None]
        y += [*(trial.values[epoch] for epoch in epochs), None]
        numbers += [[trial.number]] * len(epochs) + [[None]]
    return go.Scatter(
        name=state,
        x=x,
        y=y,
        customdata=numbers,
        mode="lines+markers",
        meta="trials",
        marker={"size": 4},
        line={"color": STATE_COLOURS[state], "width": 1},
        opacity=0.7,
        hovertemplate=f"trial %{{customdata[0]}}, epoch %{{x}}: %{{y:{hover}}}<extra>{state}</extra>",
    )


def _ends(state: str, trials: list[TrialRecord], hover: str) -> go.Scatter:
    last = [max(trial.values) for trial in trials]
    return go.Scatter(
        name=f"{state} here",
        x=last,
        y=[trial.values[epoch] for trial, epoch in zip(trials, last, strict=True)],
        customdata=[[trial.number] for trial in trials],
        mode="markers",
        meta="trials",
        marker={"symbol": _END_MARKS[state], "size": 7, "color": STATE_COLOURS[state]},
        opacity=0.9,
        hovertemplate=f"trial %{{customdata[0]}} {state} after epoch %{{x}}: %{{y:{hover}}}<extra></extra>",
    )


def _own(trial: TrialRecord, name: str, colour: str, width: float, hover: str) -> go.Scatter:
    epochs = sorted(trial.values)
    return go.Scatter(
        name=name,
        x=epochs,
        y=[trial.values[epoch] for epoch in epochs],
        customdata=[[trial.number]] * len(epochs),
        meta="trials",
        mode="lines+markers",
        line={"color": colour, "width": width},
        marker={"size": 5 if width > 2 else 3},
        hovertemplate=f"trial {trial.number}, epoch %{{x}}: %{{y:{hover}}}<extra></extra>",
    )
