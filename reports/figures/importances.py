"""Which hyperparameters mattered."""

from __future__ import annotations

import plotly.graph_objects as go

from reports.figures.style import NEUTRAL, SERIES, figure, plain
from reports.hyperparameters.explanations import title
from reports.hyperparameters.importance import importances, what_mattered
from search.study.view import StudyView

MOST = 15
"""Bars that stay readable; those below them are the least important."""


def draw(view: StudyView) -> go.Figure | None:
    """A bar per hyperparameter that varied, its share of the differences with its 95 % interval, the
    most important on top; names in words, `customdata` holds them as declared."""
    shares = importances(view)[:MOST]
    if not shares:
        return None
    shares.reverse()
    bars = go.Bar(
        x=[one.share for one in shares],
        y=[plain(title(one.name), 32) for one in shares],
        customdata=[[plain(one.name), one.low, one.high] for one in shares],
        orientation="h",
        marker={"color": SERIES[0]},
        error_x={
            "array": [one.high - one.share for one in shares],
            "arrayminus": [one.share - one.low for one in shares],
            "color": NEUTRAL,
            "thickness": 1.5,
            "width": 4,
        },
        hovertemplate="%{customdata[0]}: %{x:.1%}, 95% interval %{customdata[1]:.1%} to %{customdata[2]:.1%}<extra></extra>",
    )
    return figure(
        bars,
        shows=what_mattered(view) or "",
        showlegend=False,
        xaxis={
            "tickformat": ".0%",
            "range": [0, min(1.02, max(one.high for one in shares) * 1.06)],
            "title": {"text": "share of the differences"},
        },
        height=110 + 30 * len(shares),
        yaxis={"ticklabelstandoff": 4, "showgrid": False},
        bargap=0.35,
    )
