"""Optimisation history: every trial's score, and the best so far."""

from __future__ import annotations

from itertools import accumulate

import plotly.graph_objects as go

from models.metrics.objectives import Objective
from reports.analysis.trials import STATES, count_states, first_line, judged, scored
from reports.figures.score import score_axis
from reports.figures.style import ACCENT, STATE_COLOURS, figure, plain
from reports.figures.ticks import whole_axis
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
    """A marker trace per state that occurs, named after it, and "best so far" over the trials that a
    retraining may choose, complete ones and those that rest.

    A trial without a score has no height: it stands at the edge where scores are worst, on an axis of its own (y2).
    """
    if not view.trials:
        return None
    traces = []
    for state in STATES:
        with_score = scored(view.trials, state)
        without = [trial for trial in view.trials if trial.state == state and trial.score is None]
        if with_score:
            traces.append(_points(state, with_score, view.objective, at_edge=False))
        if without:
            traces.append(_points(state, without, view.objective, at_edge=True, legend=not with_score))
    eligible = [trial for trial in judged(view.trials) if trial.eligible]
    leaders: list[TrialRecord] = list(accumulate(eligible, _better))
    with_scores = any(trial.score is not None for trial in view.trials)
    if leaders:
        last = max(trial.number for trial in view.trials)
        traces.append(
            go.Scatter(
                name="best so far",
                x=[*(trial.number for trial in eligible), last],
                y=[trial.score for trial in (*leaders, leaders[-1])],
                mode="lines",
                line={"shape": "hv", "color": ACCENT, "width": 2},
                hovertemplate=f"best after trial %{{x}}: %{{y:{view.objective.format(2)}}}<extra></extra>",
            )
        )
    return figure(
        *traces,
        shows=_said(view, leaders),
        showlegend=True,
        xaxis={"title": {"text": "trial"}, **whole_axis(trial.number for trial in view.trials)},
        yaxis={"visible": with_scores, **score_axis(view.objective)},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
    )


def _points(
    state: str, trials: list[TrialRecord], objective: Objective, *, at_edge: bool, legend: bool = True
) -> go.Scatter:
    edge = _EDGE if objective.direction == "max" else 1 - _EDGE
    return go.Scatter(
        name=state,
        legendgroup=state,
        showlegend=legend,
        x=[trial.number for trial in trials],
        y=[edge if at_edge else trial.score for trial in trials],
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
        customdata=[[trial.number, _remark(trial, objective)] for trial in trials],
        hovertemplate="trial %{x}: %{customdata[1]}<extra>" + state + "</extra>",
    )


def _better(best: TrialRecord, one: TrialRecord) -> TrialRecord:
    return one if one.merit > best.merit else best


def _said(view: StudyView, leaders: list[TrialRecord]) -> str:
    counts = ", ".join(f"{count:,} {state}" for state, count in count_states(view.trials).items() if count)
    if not leaders:
        return f"{len(view.trials):,} trials ({counts}); none is complete yet."
    first, best, form = leaders[0], leaders[-1], view.objective.format()
    return (
        f"{len(view.trials):,} trials ({counts}). The best validation {view.objective.label} went from "
        f"{first.score:{form}} (trial {first.number}) to {best.score:{form}} (trial {best.number})."
    )


def _remark(trial: TrialRecord, objective: Objective) -> str:
    if trial.error:
        return plain(first_line(trial.error), 120)
    if trial.score is None:
        return "no score"
    return f"{trial.score:{objective.format(2)}} after {len(trial.values)} epochs"
