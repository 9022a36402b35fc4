"""Precision, recall and F1 of each emotion."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports.figures.style import GRID, SERIES, plain, styled
from search.study.view import StudyView

SCORES = {"precision": "precision", "recall": "recall", "f1": "F1"}
SPLITS = {"val": "validation", "test": "test"}


def draw(view: StudyView) -> go.Figure | None:
    """Grouped bars, one panel per split that was evaluated; a label carries the emotion's support."""
    per_class = (view.metrics or {}).get("per_class") or {}
    splits = [split for split in SPLITS if per_class.get(split)]
    if not splits:
        return None
    drawn = make_subplots(rows=len(splits), cols=1, vertical_spacing=0.2)
    for row, split in enumerate(splits, start=1):
        table = per_class[split]
        labels = [f"{plain(line['emotion'], 20)}<br>{line['support']}" for line in table]
        for colour, (key, name) in zip(SERIES, SCORES.items(), strict=False):
            drawn.add_trace(
                go.Bar(
                    name=name,
                    legendgroup=key,
                    showlegend=row == 1,
                    x=labels,
                    y=[line[key] for line in table],
                    marker={"color": colour},
                    hovertemplate=f"{name} %{{y:.1%}}<extra>{SPLITS[split]}, %{{x}}</extra>",
                ),
                row=row,
                col=1,
            )
        drawn.update_yaxes(
            title_text=SPLITS[split],
            range=[0, 1],
            tickformat=".0%",
            automargin=True,
            gridcolor=GRID,
            row=row,
            col=1,
        )
    drawn.update_xaxes(automargin=True)
    said = []
    for split in splits:
        order = sorted((line for line in per_class[split] if line["support"]), key=lambda line: line["f1"])
        if order:
            said.append(
                f"{SPLITS[split]}: F1 is lowest for {order[0]['emotion']} ({order[0]['f1']:.0%}) and highest for "
                f"{order[-1]['emotion']} ({order[-1]['f1']:.0%})"
            )
    return styled(drawn, shows="; ".join(said) + ".", barmode="group", bargap=0.25, bargroupgap=0.05)
