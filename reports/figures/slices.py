"""Score against one hyperparameter, for those that came out on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import plotly.graph_objects as go

from models.metrics.objectives import Objective
from reports.analysis.trials import judged
from reports.figures.score import score_axis
from reports.figures.style import ACCENT, SERIES, figure, plain
from reports.figures.ticks import log_ticks
from reports.hyperparameters.declared import ObservedHyperparameter, shown
from reports.hyperparameters.explanations import explanation, title
from reports.hyperparameters.families import families, member
from reports.hyperparameters.importance import importances
from search.study.view import StudyView, TrialRecord

_SYMBOLS = {"complete": "circle", "stopped": "diamond-open"}
_FEW = 150


def of(place: int) -> Callable[[StudyView], go.Figure | None]:
    """Return the figure function of the hyperparameter at `place` (0: the first) in the order of importance.

    It draws a point per complete or stopped trial that has the hyperparameter, one colour per condition it was declared
    under. Numbers with few values and names stand evenly spaced, with a tick for each; there, the median of the complete
    trials is a bar.
    """

    def draw(view: StudyView) -> go.Figure | None:
        chosen = in_order(view)
        return _slice(judged(view.trials), chosen[place], view.objective) if place < len(chosen) else None

    return draw


def in_order(view: StudyView) -> list[ObservedHyperparameter]:
    """The hyperparameters that varied, families as one, the most important first, or as declared where nothing is known."""
    varied = {
        one.name: one
        for one in families(judged(view.trials), view.config.get("space"))
        if len(one.choices) > 1
    }
    names = [one.name for one in importances(view)] or list(varied)
    return [varied[name] for name in names if name in varied]


def _slice(
    trials: Sequence[TrialRecord], parameter: ObservedHyperparameter, objective: Objective
) -> go.Figure | None:
    name, label, hover = parameter.name, objective.label, objective.format(2)
    points = [
        (trial, *found) for trial in trials if (found := member(trial.hyperparameters, name)) is not None
    ]
    order = [shown(choice) for choice in parameter.choices] if parameter.stepped else None
    marks = list(dict.fromkeys(mark for _, mark, _ in points))
    traces = []
    for mark, colour in zip(marks, [*SERIES] * len(marks), strict=False):
        for state in _SYMBOLS:
            own = [
                (trial, value)
                for trial, of, value in points
                if of == mark and (trial.state == "complete") == (state == "complete")
            ]
            if own:
                traces.append(_points(own, mark, state, colour, order, hover))
    if order is not None:
        traces.append(_medians(points, order, hover))
    best, _, best_value = max(points, key=lambda point: point[0].merit)
    words = title(name)
    meaning = explanation(name)
    return figure(
        *traces,
        shows=f"Validation {label} of {len(points):,} trials against {words}; the best, "
        f"{best.score:{objective.format()}}, is trial {best.number}'s at {shown(best_value)}.",
        title=words[:1].upper() + words[1:],
        caption=f"Validation {label} of every complete and stopped trial against {words}"
        + (f": {meaning}." if meaning else "."),
        showlegend=True,
        xaxis={"title": {"text": plain(name)}, **_axis(parameter, order)},
        yaxis=score_axis(objective),
    )


def _axis(parameter: ObservedHyperparameter, order: list[str] | None) -> dict[str, Any]:
    if order is not None:
        texts = [plain(text, 16) for text in order]
        crowded = len(texts) > 6 or max(len(text) for text in texts) * len(texts) > 40
        axis = {"tickvals": list(range(len(order))), "ticktext": texts, "range": [-0.5, len(order) - 0.5]}
        return axis | {"tickangle": -40 if crowded else 0}
    if parameter.log:
        ticks = log_ticks(parameter.choices[0], parameter.choices[-1])
        return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:.2g}" for tick in ticks]}
    return {}


def _points(
    own: Sequence[tuple[TrialRecord, Any]],
    mark: str,
    state: str,
    colour: str,
    order: list[str] | None,
    hover: str,
) -> go.Scatter:
    name = f"{mark}, {state}" if mark else state
    few = len(own) <= _FEW
    return go.Scatter(
        name=plain(name),
        mode="markers",
        meta="trials",
        x=[
            value if order is None else order.index(shown(value)) + _spread(trial.number)
            for trial, value in own
        ],
        y=[trial.score for trial, _ in own],
        customdata=[[trial.number, plain(shown(value))] for trial, value in own],
        marker={"color": colour, "symbol": _SYMBOLS[state], "size": 7 if few else 5, "line": {"width": 1.4}},
        opacity=0.9 if few else 0.75,
        hovertemplate=f"trial %{{customdata[0]}}: %{{customdata[1]}}, %{{y:{hover}}}<extra>{plain(name)}</extra>",
    )


def _spread(number: int) -> float:
    """A sideways shift of up to a quarter of a step, fixed for a trial, so that equal values do not hide each other."""
    return (number * 0.6180339887 % 1 - 0.5) / 2


def _medians(points: Sequence[tuple[TrialRecord, str, Any]], order: list[str], hover: str) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    for place, text in enumerate(order):
        scores = [
            trial.score or 0.0
            for trial, _, value in points
            if shown(value) == text and trial.state == "complete"
        ]
        if scores:
            x += [place - 0.35, place + 0.35, None]
            y += [median(scores)] * 2 + [None]
    return go.Scatter(
        name="median of the complete",
        x=x,
        y=y,
        mode="lines",
        line={"color": ACCENT, "width": 3},
        hovertemplate=f"median %{{y:{hover}}}<extra></extra>",
    )
