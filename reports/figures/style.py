"""One look for every figure, readable on a light and on a dark page.

Backgrounds are transparent and grid lines translucent, series colours have a contrast of at least 3:1 on both
schemes' page colours; only the text colour has to follow the scheme, which the page's script does.
"""

from __future__ import annotations

import html
from typing import Any

import plotly.graph_objects as go

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
NEUTRAL = "#808a96"
GRID = "rgba(128, 138, 150, 0.25)"
ACCENT = "#c9610f"
STATE_COLOURS = {
    "complete": "#3f7fc4",
    "pruned": NEUTRAL,
    "failed": "#d1495b",
    "running": "#2f9470",
    "resting": "#b58a2a",
    "released": "#9a7fc0",
    "queued": "#9a7fc0",
}
"""State of a trial -> its colour, in the figures and, as a variable of the state's name, on the page. What waits for a worker
has one."""
SERIES = ("#3f7fc4", "#c9610f", "#2f9470", "#9a6fc0", "#d1495b", "#8a7a2c")
CLASS_COLOURS = (*SERIES, "#5b9bb0", "#b0578d")
"""One per emotion."""
COUNT_COLOURS = ((0.0, "#eef2f6"), (1.0, "#1d4f8a"))
SCORE_SURFACE = [[0.0, "#2b3a55"], [0.5, "#4a86b8"], [0.8, "#a5cfae"], [1.0, "#f6e27a"]]
"""Dark for low to bright for high, on a light and on a dark page alike."""
SCORE_COLOURS = [[0.0, "#93a1b1"], [0.6, "#5b8fc9"], [1.0, "#d9690f"]]

_AXIS = {
    "automargin": True,
    "gridcolor": GRID,
    "linecolor": GRID,
    "zeroline": False,
    "title": {"standoff": 8},
}
NO_BUTTONS = ["sendChartToCloud", "lasso2d", "select2d"]
"""Buttons of plotly.js's bar that no figure has: the first uploads the figure to a cloud service, the others select what
nothing here acts on."""
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": NEUTRAL},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": ACCENT},
    }
)


def figure(*traces: go.Figure, shows: str, **layout: Any) -> go.Figure:
    """A figure of `traces` in the house look, with what `styled` takes on top of it."""
    return styled(go.Figure(data=list(traces)), shows=shows, **layout)


def styled(
    drawn: go.Figure, *, shows: str, title: str | None = None, caption: str | None = None, **layout: Any
) -> go.Figure:
    """`drawn`, given the house look in place, `layout` on top of it.

    Args:
        drawn: The figure.
        shows: What this figure says, in words and numbers: its text alternative.
        title, caption: In place of those of its entry in FIGURES, where they depend on the study.
        layout: Attributes of plotly's layout.
    """
    meta = {"shows": shows, "title": title, "caption": caption}
    return drawn.update_layout(template=_TEMPLATE, modebar_remove=NO_BUTTONS, meta=meta, **layout)


def plain(text: object, limit: int = 60) -> str:
    """Text a user typed, as a plotly label: cut at `limit` characters, plotly's own tags escaped."""
    shown = str(text)
    if len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    return html.escape(shown, quote=False)
