"""Accuracy against macro-F1 and against the network's size, with the trials that none surpasses in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from reports.analysis.fronts import Point, front, points
from reports.figures.style import ACCENT, STATE_COLOURS, figure
from reports.figures.ticks import ACCURACY_AXIS, log_ticks
from search.study.view import StudyView

MIN_RATIO = 1.02
"""Ratio of the largest network to the smallest below which there is nothing to trade."""


def draw_macro_f1(view: StudyView) -> go.Figure | None:
    """A point per trial: accuracy against macro-F1."""
    known = [point for point in points(view) if point.macro_f1 is not None]
    if len(known) < 3:
        return None
    best = front(known, lambda point: -(point.macro_f1 or 0.0))
    axis = {"title": {"text": "macro-F1, validation"}, **ACCURACY_AXIS}
    said = "; ".join(f"{_said(point)} with macro-F1 {point.macro_f1:.1%}" for point in best[-3:])
    return _drawn(known, best, lambda point: point.macro_f1 or 0.0, axis, f"On the front: {said}.")


def draw_size(view: StudyView) -> go.Figure | None:
    """A point per trial: accuracy against the number of parameters."""
    known = [point for point in points(view) if point.parameters]
    sizes = [point.parameters or 1 for point in known]
    if len(known) < 3 or max(sizes) < MIN_RATIO * min(sizes):
        return None
    best = front(known, lambda point: point.parameters or 0)
    ticks = log_ticks(min(sizes), max(sizes))
    axis = {
        "type": "log",
        "title": {"text": "parameters of the network"},
        "tickvals": ticks,
        "ticktext": [f"{tick:,.0f}" for tick in ticks],
    }
    said = "; ".join(f"{_said(point)} with {point.parameters:,} parameters" for point in best[-3:])
    return _drawn(known, best, lambda point: point.parameters or 0, axis, f"On the front: {said}.")


def _said(point: Point) -> str:
    return f"{point.accuracy:.1%} (trial {point.trial.number})"


def _drawn(
    known: Sequence[Point],
    best: Sequence[Point],
    x_of: Callable[[Point], float],
    axis: dict[str, Any],
    shows: str,
) -> go.Figure:
    marks = [
        go.Scatter(
            name=name,
            mode="markers",
            meta="trials",
            x=[x_of(point) for point in own],
            y=[point.accuracy for point in own],
            customdata=[[point.trial.number] for point in own],
            marker={"color": STATE_COLOURS[state], "size": 7 if len(own) <= 150 else 5},
            opacity=0.85 if len(own) <= 150 else 0.6,
            hovertemplate="trial %{customdata[0]}: %{y:.2%}<extra></extra>",
        )
        for state, name in (("pruned", "stopped"), ("complete", "complete"))
        if (own := [p for p in known if (p.trial.state == "complete") == (state == "complete")])
    ]
    line = go.Scatter(
        name="surpassed by none",
        mode="lines+markers",
        x=[x_of(point) for point in best],
        y=[point.accuracy for point in best],
        line={"color": ACCENT, "width": 2},
        hoverinfo="skip",
    )
    return figure(
        *marks,
        line,
        shows=shows,
        showlegend=True,
        xaxis=axis,
        yaxis={"title": {"text": "validation accuracy"}, **ACCURACY_AXIS},
    )
