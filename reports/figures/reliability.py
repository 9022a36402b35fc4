"""Whether the model is right as often as it says."""

from __future__ import annotations

import plotly.graph_objects as go

from reports.figures.style import NEUTRAL, SERIES, figure
from search.study.view import StudyView

SPLITS = {"val": "validation", "test": "test"}


def draw(view: StudyView) -> go.Figure | None:
    """Accuracy against mean confidence of each occupied bin, one line per split with its ECE, the diagonal dotted; a
    mark's area follows the number of rows in its bin."""
    calibration = (view.metrics or {}).get("calibration") or {}
    traces, said = [], []
    for colour, (split, name) in zip(SERIES, SPLITS.items(), strict=False):
        bins = (calibration.get(split) or {}).get("bins") or []
        if not bins:
            continue
        most = max(one["n"] for one in bins)
        gap = sum(one["n"] * (one["confidence"] - one["accuracy"]) for one in bins)
        said.append(
            f"{name}: ECE {calibration[split]['ece']:.1%}, on the whole {'surer' if gap > 0 else 'less sure'} than right"
        )
        traces.append(
            go.Scatter(
                name=f"{name}, ECE {calibration[split]['ece']:.1%}",
                x=[one["confidence"] for one in bins],
                y=[one["accuracy"] for one in bins],
                customdata=[one["n"] for one in bins],
                mode="lines+markers",
                line={"color": colour, "width": 1.4},
                marker={"size": [5 + 13 * (one["n"] / most) ** 0.5 for one in bins], "opacity": 0.8},
                hovertemplate=(
                    "confidence %{x:.1%}, right %{y:.1%}, %{customdata} faces<extra>" + name + "</extra>"
                ),
            )
        )
    if not traces:
        return None
    ideal = go.Scatter(
        name="as often right as confident",
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 1.2},
        hoverinfo="skip",
    )
    bounds: list[float] = [max(0.0, min(min(trace.x) for trace in traces) - 0.05), 1.02]
    return figure(
        ideal,
        *traces,
        shows=f"Confidence against accuracy. {'; '.join(said)}.",
        showlegend=True,
        xaxis={"title": {"text": "confidence"}, "tickformat": ".0%", "range": bounds},
        yaxis={"title": {"text": "accuracy"}, "tickformat": ".0%", "range": [-0.02, 1.04]},
    )
