"""Score against one hyperparameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from reports.analysis.families import member
from reports.analysis.hyperparameters import DISCRETE, LOG_NAMES, shown
from reports.analysis.trials import scored
from reports.figures.style import NEUTRAL, SERIES, figure, plain
from reports.figures.ticks import ACCURACY_AXIS, log_ticks
from search.study.view import StudyView, TrialRecord

_SYMBOLS = {"complete": "circle", "pruned": "diamond-open"}
_FEW = 150


def of(name: str) -> Callable[[StudyView], go.Figure | None]:
    """Return the figure function of the family `name`: dropout, or learning_rate for all learning_rate@....

    It draws a point per scored complete or pruned trial that has the hyperparameter, one colour per condition it was
    declared under. Numbers with few values and names stand evenly spaced, with a tick for each; there, the median of the
    complete trials is a bar.
    """

    def draw(view: StudyView) -> go.Figure | None:
        return _slice(scored(view.trials, "complete") + scored(view.trials, "pruned"), name)

    return draw


def _slice(trials: Sequence[TrialRecord], name: str) -> go.Figure | None:
    points = [
        (trial, *found) for trial in trials if (found := member(trial.hyperparameters, name)) is not None
    ]
    values = [value for _, _, value in points]
    if len({shown(value) for value in values}) < 2:
        return None
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    on_log = numeric and name.endswith(LOG_NAMES) and min(values) > 0
    stepped = not numeric or (len(set(values)) <= 2 * DISCRETE and not on_log)
    order = [shown(value) for value in (sorted(set(values)) if numeric else dict.fromkeys(values))]
    marks = list(dict.fromkeys(mark for _, mark, _ in points))
    traces = []
    for mark, colour in zip(marks, [*SERIES] * len(marks), strict=False):
        for state, symbol in _SYMBOLS.items():
            own = [(trial, value) for trial, of, value in points if of == mark and trial.state == state]
            if own:
                traces.append(_points(own, mark, state, colour, symbol, order if stepped else None))
    if stepped:
        traces.append(_medians(points, order))
    axis: dict[str, Any] = {"title": {"text": name}}
    if stepped:
        texts = [plain(text, 16) for text in order]
        axis |= {"tickvals": list(range(len(order))), "ticktext": texts, "range": [-0.5, len(order) - 0.5]}
        axis |= {"tickangle": 0 if len(order) <= 6 and not _long(texts) else -40}
    elif on_log:
        ticks = log_ticks(min(values), max(values))
        axis |= {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:.2g}" for tick in ticks]}
    return figure(
        *traces,
        showlegend=True,
        xaxis=axis,
        yaxis={"title": {"text": "validation accuracy"}, **ACCURACY_AXIS},
    )


def _long(texts: Sequence[str]) -> bool:
    return max(len(text) for text in texts) * len(texts) > 40


def _points(
    own: Sequence[tuple[TrialRecord, Any]],
    mark: str,
    state: str,
    colour: str,
    symbol: str,
    order: list[str] | None,
) -> go.Scatter:
    name = f"{mark}, {state}" if mark else state
    few = len(own) <= _FEW
    return go.Scatter(
        name=plain(name),
        mode="markers",
        x=[
            value if order is None else order.index(shown(value)) + _spread(trial.number)
            for trial, value in own
        ],
        y=[trial.score for trial, _ in own],
        customdata=[[trial.number, plain(shown(value))] for trial, value in own],
        marker={"color": colour, "symbol": symbol, "size": 7 if few else 5},
        opacity=0.85 if few else 0.55,
        hovertemplate="trial %{customdata[0]}: %{customdata[1]}, %{y:.2%}<extra>" + plain(name) + "</extra>",
    )


def _spread(number: int) -> float:
    """A sideways shift of up to a quarter of a step, fixed for a trial, so that equal values do not hide each other."""
    return (number * 0.6180339887 % 1 - 0.5) / 2


def _medians(points: Sequence[tuple[TrialRecord, str, Any]], order: list[str]) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    for place, text in enumerate(order):
        scores = sorted(
            trial.score or 0.0
            for trial, _, value in points
            if shown(value) == text and trial.state == "complete"
        )
        if scores:
            middle = (scores[(len(scores) - 1) // 2] + scores[len(scores) // 2]) / 2
            x += [place - 0.35, place + 0.35, None]
            y += [middle, middle, None]
    return go.Scatter(
        name="median",
        x=x,
        y=y,
        mode="lines",
        line={"color": NEUTRAL, "width": 3},
        hovertemplate="median %{y:.2%}<extra></extra>",
    )
