"""Learning curves of the retrained model."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports.figures.style import GRID, SERIES, plain, styled
from reports.figures.ticks import ACCURACY_AXIS, log_ticks, whole_axis
from search.study.view import StudyView

_PANELS = (
    ("training loss", "loss", None),
    ("validation loss", None, "val_loss"),
    ("accuracy", "accuracy", "val_accuracy"),
    ("learning rate", None, "learning_rate"),
)
"""Title, training column, validation column. The losses have a panel each: training minimises one with class weights, smoothing
and its own targets, on altered faces; validation is measured without any of them."""
_ACCURACY, _RATE = 3, 4


def draw(view: StudyView) -> go.Figure | None:
    """Training loss, validation loss, accuracy and learning rate (log) in four panels over one epoch axis, one colour per run."""
    histories = {name: frame for name, frame in view.histories.items() if len(frame)}
    if not histories:
        return None
    drawn = make_subplots(
        rows=len(_PANELS),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        row_heights=[0.24, 0.24, 0.32, 0.2],
    )
    for index, (name, frame) in enumerate(histories.items()):
        colour = SERIES[index % len(SERIES)]
        for row, (_, training, validation) in enumerate(_PANELS, start=1):
            for column, dash in ((training, "dot"), (validation, "solid")):
                if column is None or column not in frame:
                    continue
                drawn.add_trace(
                    go.Scatter(
                        name=plain(name),
                        legendgroup=name,
                        showlegend=column == "val_accuracy",
                        x=frame["epoch"],
                        y=frame[column],
                        mode="lines+markers" if len(frame) == 1 else "lines",
                        line={
                            "color": colour,
                            "width": 1.6,
                            "dash": dash,
                            "shape": "hv" if row == _RATE else "linear",
                        },
                        hovertemplate=f"{plain(name)}, epoch %{{x}}<br>{column} %{{y:.4g}}<extra></extra>",
                    ),
                    row=row,
                    col=1,
                )
    for row, (title, _, _) in enumerate(_PANELS, start=1):
        drawn.update_yaxes(title_text=title, automargin=True, gridcolor=GRID, row=row, col=1)
    drawn.update_yaxes(**ACCURACY_AXIS, row=_ACCURACY, col=1)
    drawn.update_yaxes(type="log", **_rate_ticks(histories), row=_RATE, col=1)
    epochs = [int(epoch) for frame in histories.values() for epoch in frame["epoch"]]
    drawn.update_xaxes(**whole_axis(epochs))
    drawn.update_xaxes(title_text="epoch", row=_RATE, col=1)
    best = {
        name: float(frame["val_accuracy"].max())
        for name, frame in histories.items()
        if "val_accuracy" in frame
    }
    said = ", ".join(f"{name} {value:.1%}" for name, value in best.items())
    return styled(
        drawn,
        shows=f"Retraining over {max(epochs)} epochs. Highest validation accuracy: {said}."
        if said
        else "Retraining.",
        height=640,
        showlegend=True,
    )


def _rate_ticks(histories: dict[str, pd.DataFrame]) -> dict[str, list[Any]]:
    """Ticks of the learning-rate axis; none of our own when no positive rate was recorded."""
    frames = [frame["learning_rate"] for frame in histories.values() if "learning_rate" in frame]
    rates = [rate for frame in frames for rate in frame if rate > 0]
    if not rates:
        return {}
    ticks = log_ticks(min(rates), max(rates))
    return {"tickvals": ticks, "ticktext": [f"{tick:.2g}" for tick in ticks]}
