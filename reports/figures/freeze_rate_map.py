"""Freeze index by learning rate, a map per backbone."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from models.metrics.objectives import Objective
from reports.analysis.trials import judged
from reports.figures.style import COUNT_COLOURS, GRID, plain, styled
from reports.hyperparameters.families import member
from search.study.view import StudyView, TrialRecord

PER_DECADE = 2
"""Columns per factor of ten in the learning rate; half a decade is about the step that a sweep by hand takes."""

_Cell = tuple[int, int, TrialRecord]
"""Freeze index, column and trial."""
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
    best = [_score(own) for cells in maps.values() for own in _grouped(cells).values()]
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
        drawn.add_trace(_map(cells, min(best), max(best), view.objective), row=row, col=1)
    drawn.update_xaxes(title_text="learning rate", showgrid=False, automargin=True, tickangle=0)
    drawn.update_yaxes(
        title_text="freeze index", showgrid=False, automargin=True, gridcolor=GRID, type="category"
    )
    tops = []
    for backbone, cells in maps.items():
        depth, column, trial = max(cells, key=lambda cell: cell[2].merit)
        score = f"{trial.score:{view.objective.format()}}"
        tops.append(
            f"{backbone} {score} at freeze index {depth} and learning rate {_edge(column)} to {_edge(column + 1)}"
        )
    said = f"Best validation {view.objective.label}: {'; '.join(tops)}."
    return styled(drawn, shows=said, height=height, margin={"t": 36})


def _backbone(trial: TrialRecord) -> str:
    return str(trial.hyperparameters.get("backbone", "backbone"))


def _cells(trials: Sequence[TrialRecord], backbone: str) -> list[_Cell]:
    """The backbone's trials that have a freeze index and a learning rate."""
    found = []
    for trial in trials:
        if _backbone(trial) != backbone:
            continue
        depth, rate = (
            member(trial.hyperparameters, "freeze_before"),
            member(trial.hyperparameters, "learning_rate"),
        )
        if depth is not None and rate is not None and rate[1] > 0 and isinstance(depth[1], int | float):
            found.append((int(depth[1]), floor(log10(rate[1]) * PER_DECADE), trial))
    return found


def _grouped(cells: Sequence[_Cell]) -> dict[tuple[int, int], list[TrialRecord]]:
    """(freeze index, column) -> the trials there."""
    found: dict[tuple[int, int], list[TrialRecord]] = {}
    for depth, column, trial in cells:
        found.setdefault((depth, column), []).append(trial)
    return found


def _score(trials: Sequence[TrialRecord]) -> float:
    """The best score of some trials that have one."""
    return max(trials, key=lambda trial: trial.merit).score or 0.0


def _map(cells: Sequence[_Cell], low: float, high: float, objective: Objective) -> go.Heatmap:
    form = objective.format()
    found = _grouped(cells)
    depths = sorted({depth for depth, _ in found})
    columns = range(min(column for _, column in found), max(column for _, column in found) + 1)
    grouped = [[found.get((depth, column), []) for column in columns] for depth in depths]
    return go.Heatmap(
        z=[[_score(own) if own else None for own in row] for row in grouped],
        x=[f"{_edge(column)}<br>to {_edge(column + 1)}" for column in columns],
        y=[str(depth) for depth in depths],
        text=[[f"{_score(own):{form}}<br>n {len(own)}" if own else "" for own in row] for row in grouped],
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate="freeze %{y}, learning rate %{x}<br>%{text}<extra></extra>",
        colorscale=COUNT_COLOURS,
        reversescale=objective.direction == "min",
        zmin=low,
        zmax=max(high, low + 1e-6),
        showscale=False,
        hoverongaps=False,
        xgap=1,
        ygap=1,
    )


def _edge(column: int) -> str:
    return f"{10 ** (column / PER_DECADE):.1g}"
