"""Freeze index by learning rate, a map per backbone."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports.analysis.trials import judged
from reports.figures.style import COUNT_COLOURS, GRID, plain, styled
from reports.hyperparameters.families import member
from search.study.view import StudyView, TrialRecord

PER_DECADE = 2
"""Columns per factor of ten in the learning rate; half a decade is about the step that a sweep by hand takes."""

_AROUND = 130
"""Pixels of height for a map's title and the labels of its axis."""


def draw(view: StudyView) -> go.Figure | None:
    """A heatmap per backbone whose trials differ in freeze index: the best score of each cell, with the number of its
    complete and pruned trials; empty cells were not tried."""
    trials = judged(view.trials)
    backbones = dict.fromkeys(_backbone(trial) for trial in trials)
    cells_of = {backbone: _cells(trials, backbone) for backbone in backbones}
    maps = {
        backbone: cells for backbone, cells in cells_of.items() if len({depth for depth, _, _ in cells}) > 1
    }
    if not maps:
        return None
    best = [max(scores) for cells in maps.values() for scores in _grouped(cells).values()]
    heights = [len({depth for depth, _, _ in cells}) for cells in maps.values()]
    height = _AROUND * len(maps) + 34 * sum(heights)
    drawn = make_subplots(
        rows=len(maps),
        cols=1,
        subplot_titles=[plain(backbone) for backbone in maps],
        row_heights=heights,
        vertical_spacing=_AROUND / height,
    )
    for row, cells in enumerate(maps.values(), start=1):
        drawn.add_trace(_map(cells, min(best), max(best)), row=row, col=1)
    drawn.update_xaxes(title_text="learning rate", showgrid=False, automargin=True, tickangle=0)
    drawn.update_yaxes(
        title_text="freeze index", showgrid=False, automargin=True, gridcolor=GRID, type="category"
    )
    tops = []
    for backbone, cells in maps.items():
        depth, column, score = max(cells, key=lambda cell: cell[2])
        tops.append(
            f"{backbone} {score:.1%} at freeze index {depth} and learning rate {_edge(column)} to {_edge(column + 1)}"
        )
    return styled(
        drawn, shows=f"Highest validation accuracy: {'; '.join(tops)}.", height=height, margin={"t": 36}
    )


def _backbone(trial: TrialRecord) -> str:
    return str(trial.hyperparameters.get("backbone", "backbone"))


def _cells(trials: Sequence[TrialRecord], backbone: str) -> list[tuple[int, int, float]]:
    """(freeze index, column, score) of the backbone's trials that have a freeze index and a learning rate."""
    found = []
    for trial in trials:
        if _backbone(trial) != backbone:
            continue
        depth, rate = (
            member(trial.hyperparameters, "freeze_before"),
            member(trial.hyperparameters, "learning_rate"),
        )
        if depth is not None and rate is not None and rate[1] > 0 and isinstance(depth[1], int | float):
            found.append((int(depth[1]), floor(log10(rate[1]) * PER_DECADE), trial.score or 0.0))
    return found


def _grouped(cells: Sequence[tuple[int, int, float]]) -> dict[tuple[int, int], list[float]]:
    """(freeze index, column) -> the scores there."""
    found: dict[tuple[int, int], list[float]] = {}
    for depth, column, score in cells:
        found.setdefault((depth, column), []).append(score)
    return found


def _map(cells: Sequence[tuple[int, int, float]], low: float, high: float) -> go.Heatmap:
    found = _grouped(cells)
    depths = sorted({depth for depth, _ in found})
    columns = range(min(column for _, column in found), max(column for _, column in found) + 1)
    grouped = [[found.get((depth, column), []) for column in columns] for depth in depths]
    return go.Heatmap(
        z=[[max(scores, default=None) for scores in row] for row in grouped],
        x=[f"{_edge(column)}<br>to {_edge(column + 1)}" for column in columns],
        y=[str(depth) for depth in depths],
        text=[
            [f"{max(scores):.1%}<br>n {len(scores)}" if scores else "" for scores in row] for row in grouped
        ],
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate="freeze %{y}, learning rate %{x}<br>%{text}<extra></extra>",
        colorscale=COUNT_COLOURS,
        zmin=low,
        zmax=max(high, low + 1e-6),
        showscale=False,
        hoverongaps=False,
        xgap=1,
        ygap=1,
    )


def _edge(column: int) -> str:
    return f"{10 ** (column / PER_DECADE):.1g}"
