"""Confusion matrices of the retrained model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ferplus_data.labels import EMOTIONS
from reports.figures.style import COUNT_COLOURS, figure, plain
from search.study.view import StudyView


def validation(view: StudyView) -> go.Figure | None:
    """The validation split's matrix; see `matrix`."""
    return _of_split(view, "val")


def test(view: StudyView) -> go.Figure | None:
    """The test split's matrix; see `matrix`."""
    return _of_split(view, "test")


def _of_split(view: StudyView, split: str) -> go.Figure | None:
    counts = ((view.metrics or {}).get("confusion") or {}).get(split)
    if counts is None:
        return None
    return matrix(np.asarray(counts, dtype=np.int64), EMOTIONS)


def matrix(counts: np.ndarray, names: Sequence[str]) -> go.Figure:
    """Heatmap of int64 counts [K, K] (rows true, columns predicted), coloured by share of the row (0 to 1).

    A row without images has no shares: its cells are empty but for the count.
    """
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    text = [
        [
            f"{count}" + ("" if np.isnan(share) else f"<br>{share:.0%}")
            for count, share in zip(*row, strict=True)
        ]
        for row in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    labels = [plain(name, 20) for name in names]
    cells = go.Heatmap(
        z=np.nan_to_num(shares),
        x=labels,
        y=labels,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 11},
        customdata=counts,
        colorscale=COUNT_COLOURS,
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
        hovertemplate="%{y} taken for %{x}: %{customdata} images, %{z:.1%}<extra></extra>",
    )
    return figure(
        cells,
        shows=_said(counts, shares, names),
        xaxis={"title": {"text": "predicted"}, "tickangle": -45, "showgrid": False, "constrain": "domain"},
        yaxis={
            "title": {"text": "true"},
            "autorange": "reversed",
            "showgrid": False,
            "scaleanchor": "x",
            "constrain": "domain",
        },
    )


def _said(counts: np.ndarray, shares: np.ndarray, names: Sequence[str]) -> str:
    right = float(np.trace(counts)) / max(1, int(counts.sum()))
    confused = np.nan_to_num(shares).copy()
    np.fill_diagonal(confused, 0)
    true, predicted = divmod(int(confused.argmax()), len(names))
    return (
        f"{right:.1%} of {int(counts.sum()):,} faces are right. The largest confusion is {names[true]} taken for "
        f"{names[predicted]}: {confused[true, predicted]:.0%} of {names[true]}."
    )
