"""Accuracy on faces that the annotators agreed on, and on those they did not."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from ferplus_data.summary import agreement
from models.metrics.intervals import wilson
from reports.figures.style import SERIES, figure
from reports.figures.ticks import ACCURACY_AXIS
from search.study.view import StudyView

SPLITS = {"val": "validation", "test": "test"}
_EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_NAMES = ("to 50%", "to 60%", "to 70%", "to 80%", "to 90%", "to 100%")


def draw(view: StudyView) -> go.Figure | None:
    """Accuracy with its 95% Wilson interval per range of the share of votes that the label got, one colour per split."""
    traces, said = [], []
    for colour, (split, name) in zip(SERIES, SPLITS.items(), strict=False):
        predictions = view.predictions.get(split)
        if predictions is None:
            continue
        shares = agreement(predictions.votes, predictions.labels)
        right = predictions.predicted == predictions.labels
        bins = np.digitize(shares - 1e-9, _EDGES[1:-1])
        filled = [index for index in range(len(_NAMES)) if (bins == index).any()]
        counts = [int((bins == index).sum()) for index in filled]
        values = [float(right[bins == index].mean()) for index in filled]
        few, most = _NAMES[filled[0]], _NAMES[filled[-1]]
        said.append(
            f"{name} {values[0]:.0%} for labels with {few} of the votes, {values[-1]:.0%} with {most}"
        )
        intervals = [wilson(value, n) for value, n in zip(values, counts, strict=True)]
        traces.append(
            go.Bar(
                name=name,
                x=[_NAMES[index] for index in filled],
                y=values,
                customdata=counts,
                marker={"color": colour},
                error_y={
                    "array": [high - value for value, (_, high) in zip(values, intervals, strict=True)],
                    "arrayminus": [value - low for value, (low, _) in zip(values, intervals, strict=True)],
                    "thickness": 1.2,
                    "width": 3,
                },
                hovertemplate="%{x} of the votes: %{y:.1%} right of %{customdata} faces<extra>"
                + name
                + "</extra>",
            )
        )
    if not traces:
        return None
    return figure(
        *traces,
        shows=f"Accuracy by the annotators' agreement: {'; '.join(said)}.",
        barmode="group",
        showlegend=True,
        xaxis={
            "title": {"text": "share of the votes that the label got"},
            "categoryorder": "array",
            "categoryarray": list(_NAMES),
        },
        yaxis={"title": {"text": "accuracy"}, **ACCURACY_AXIS, "range": [0, 1]},
    )
