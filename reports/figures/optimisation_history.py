"""Optimisation history: every trial's score, and the best so far."""

from __future__ import annotations

from itertools import accumulate

import plotly.graph_objects as go

from reports.analysis.trials import STATES, count_states, first_line, scored
from reports.figures.style import ACCENT, STATE_COLOURS, figure, plain
from reports.figures.ticks import ACCURACY_AXIS, whole_axis
from search.study.view import StudyView, TrialRecord

_SYMBOLS = {
    "complete": "circle",
    "pruned": "diamond-open",
    "failed": "x",
    "running": "circle-open",
    "resting": "square-open",
    "released": "triangle-down-open",
    "queued": "triangle-up-open",
}
_EDGE = 0.02
FEW = 150
"""Points of one state that keep the large mark without hiding each other."""


def draw(view: StudyView) -> go.Figure | None:
    """A marker trace per state that occurs, named after it, and "best so far" over the complete trials.

    A trial without a score has no height: it stands at the bottom edge, on an axis of its own (y2).
    """
    if not view.trials:
        return None
    traces = []
    for state in STATES:
        with_score = scored(view.trials, state)
        without = [trial for trial in view.trials if trial.state == state and trial.score is None]
        if with_score:
            traces.append(_points(state, with_score, at_edge=False))
        if without:
            traces.append(_points(state, without, at_edge=True, legend=not with_score))
    complete = scored(view.trials, "complete")
    with_scores = any(trial.score is not None for trial in view.trials)
    if complete:
        traces.append(_running_best(complete, last=max(trial.number for trial in view.trials)))
    return figure(
        *traces,
        shows=_said(view, complete),
        showlegend=True,
        xaxis={"title": {"text": "trial"}, **whole_axis(trial.number for trial in view.trials)},
        yaxis={"title": {"text": "validation accuracy"}, "visible": with_scores, **ACCURACY_AXIS},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
    )


def _running_best(complete: list[TrialRecord], *, last: int) -> go.Scatter:
    best = list(accumulate((trial.score or 0.0 for trial in complete), max))
    return go.Scatter(
        name="best so far",
        x=[*(trial.number for trial in complete), last],
        y=[*best, best[-1]],
        mode="lines",
        line={"shape": "hv", "color": ACCENT, "width": 2},
        hovertemplate="best after trial %{x}: %{y:.2%}<extra></extra>",
    )


def _points(state: str, trials: list[TrialRecord], *, at_edge: bool, legend: bool = True) -> go.Scatter:
    return go.Scatter(
        name=state,
        legendgroup=state,
        showlegend=legend,
        x=[trial.number for trial in trials],
        y=[_EDGE if at_edge else trial.score for trial in trials],
        yaxis="y2" if at_edge else "y",
        mode="markers",
        cliponaxis=False,
        marker={
            "symbol": _SYMBOLS[state],
            "color": STATE_COLOURS[state],
            "size": 8 if len(trials) <= FEW else 5,
            "line": {"width": 1.2, "color": STATE_COLOURS[state]},
        },
        meta="trials",
        customdata=[[trial.number, _remark(trial)] for trial in trials],
        hovertemplate="trial %{x}: %{customdata[1]}<extra>" + state + "</extra>",
    )


def _said(view: StudyView, complete: list[TrialRecord]) -> str:
    counts = ", ".join(f"{count:,} {state}" for state, count in count_states(view.trials).items() if count)
    if not complete:
        return f"{len(view.trials):,} trials ({counts}); none is complete yet."
    best = max(complete, key=lambda trial: trial.score or 0.0)
    return (
        f"{len(view.trials):,} trials ({counts}). The best complete score rose from {complete[0].score or 0:.1%} (trial "
        f"{complete[0].number}) to {best.score or 0:.1%} (trial {best.number})."
    )


def _remark(trial: TrialRecord) -> str:
    if trial.error:
        return plain(first_line(trial.error), 120)
    if trial.score is None:
        return "no score"
    return f"{trial.score:.2%} after {len(trial.values)} epochs"
