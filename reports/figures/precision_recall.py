"""Precision against recall of each emotion: with classes as rare as FER+'s it tells more than ROC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from ferplus_data.labels import EMOTIONS
from reports.figures.style import CLASS_COLOURS, figure
from search.study.predictions import Predictions
from search.study.view import StudyView

Floats = NDArray[np.float64]

_POINTS = 200
"""Points of a drawn curve; more are not seen."""


def of(split: str) -> Callable[[StudyView], go.Figure | None]:
    """Return the figure function of `split`, "val" or "test": a curve per emotion that the split holds, emotion against
    rest, with its average precision and its number of faces."""

    def draw(view: StudyView) -> go.Figure | None:
        predictions = view.predictions.get(split)
        return None if predictions is None else _curves(predictions)

    return draw


def steps(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Recall, ascending, and the precision that holds up to it: the step function whose area is the average precision.

    Each recall has one precision, that of the threshold which first reaches it; further thresholds only add mistakes at the same
    recall, and would be drawn as spikes. Of many steps, _POINTS are kept.
    """
    precision, recall, _ = precision_recall_curve(positive, scores)
    found, first = np.unique(recall[::-1], return_index=True)
    reached = precision[::-1][first]
    reached[0] = (
        reached[1] if len(reached) > 1 else reached[0]
    )  # at recall 0 scikit-learn says 1 by convention
    kept = np.unique(np.linspace(0, len(found) - 1, _POINTS).astype(int))
    return found[kept], reached[kept]


def _curves(predictions: Predictions) -> go.Figure:
    traces, averages = [], []
    for index, emotion in enumerate(EMOTIONS):
        positive = predictions.labels == index
        if not positive.any():
            continue
        scores = predictions.probabilities[:, index]
        average = average_precision_score(positive, scores)
        averages.append(f"{emotion} {average:.2f}")
        recall, precision = steps(positive, scores)
        traces.append(
            go.Scatter(
                name=f"{emotion} {average:.2f}",
                x=recall.round(4).tolist(),
                y=precision.round(4).tolist(),
                mode="lines",
                line={"color": CLASS_COLOURS[index], "width": 1.6, "shape": "vh"},
                hovertemplate="recall %{x:.1%}, precision %{y:.1%}<extra>"
                + f"{emotion}, {int(positive.sum())} faces</extra>",
            )
        )
    return figure(
        *traces,
        shows=f"Average precision: {', '.join(averages)}.",
        showlegend=True,
        legend={"entrywidth": 88, "font": {"size": 11}},
        xaxis={"title": {"text": "recall"}, "tickformat": ".0%", "range": [0, 1.01]},
        yaxis={"title": {"text": "precision"}, "tickformat": ".0%", "range": [0, 1.02]},
    )
