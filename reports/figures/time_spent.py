"""Where the time of all workers went."""

from __future__ import annotations

import plotly.graph_objects as go

from reports.analysis.words import duration_words
from reports.analysis.workers import afterwards, time_split
from reports.figures.style import NEUTRAL, SERIES, figure
from search.study.view import StudyView

_NAMES = {"other": "in trials,<br>not recorded apart", "idle": "idle"}

_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}


def draw(view: StudyView) -> go.Figure | None:
    """One bar per kind of work, its time summed over the workers, labelled with its share."""
    split = {**time_split(view.trials), **afterwards(view)}
    total = sum(split.values())
    if total <= 0:
        return None
    kinds = list(split)
    unit, length = next((name, one) for name, one in _UNITS.items() if total >= 2 * one or name == "seconds")
    lengths = [split[kind] / length for kind in kinds]
    parts = ", ".join(
        f"{kind if kind != 'other' else 'not recorded apart'} {seconds / total:.0%}"
        for kind, seconds in sorted(split.items(), key=lambda item: -item[1])
        if seconds >= 0.005 * total
    )
    bars = go.Bar(
        x=lengths,
        y=[_NAMES.get(kind, kind) for kind in kinds],
        orientation="h",
        marker={"color": [NEUTRAL if kind in ("other", "idle") else SERIES[0] for kind in kinds]},
        text=[f"{split[kind] / total:.1%}" for kind in kinds],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2f} " + unit + "<extra></extra>",
    )
    return figure(
        bars,
        shows=f"{duration_words(total)} of all workers together: {parts}.",
        height=90 + 34 * len(kinds),
        xaxis={"title": {"text": unit}, "range": [0, max(lengths) * 1.15]},
        yaxis={"autorange": "reversed", "showgrid": False, "ticklabelstandoff": 4},
        bargap=0.35,
    )
