"""Parallel coordinates over the hyperparameters the user named."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

import plotly.graph_objects as go

from reports.figures.importances import importances
from reports.figures.style import SCORE_COLOURS, figure
from reports.figures.ticks import even_ticks, log_ticks
from reports.hyperparameters import Hyperparameter, shown, varied
from reports.trials import scored
from search.study import StudyView, TrialRecord

MAX_AXES = 9
"""Axes beside the score's that stay readable at the page's width; the most important are kept."""
_GAP = 0.12
_TICKS = 5


def draw(view: StudyView) -> go.Figure | None:
    """One line per scored complete or pruned trial, coloured by the rank of its score; up to MAX_AXES axes.

    plotly's parcoords cannot draw a missing value, so an axis with missing values gets a tick "–" below its
    lowest value. Log axes carry log10 of the value under ticks that read as the value.
    """
    trials = scored(view.trials, "complete") + scored(view.trials, "pruned")
    parameters = _chosen(view, varied(trials))
    if len(trials) < 2 or not parameters:
        return None
    scores = [trial.score or 0.0 for trial in trials]
    ranks = {score: rank for rank, score in enumerate(sorted(set(scores)))}
    lines = go.Parcoords(
        dimensions=[*(_dimension(parameter, trials) for parameter in parameters), _score_dimension(scores)],
        line={
            "color": [ranks[score] for score in scores],
            "colorscale": SCORE_COLOURS,
            "cmin": 0,
            "cmax": max(1, len(ranks) - 1),
        },
        labelangle=-20,
        labelside="top",
        unselected={"line": {"color": "#808a96", "opacity": 0.08}},
    )
    return figure(lines, margin={"l": 70, "r": 60, "t": 90, "b": 24})


def _chosen(view: StudyView, parameters: list[Hyperparameter]) -> list[Hyperparameter]:
    """The MAX_AXES most important, rising towards the score; the first MAX_AXES if importance is unknown."""
    shares = importances(view.trials)
    if not shares:
        return parameters[:MAX_AXES]
    return sorted(parameters, key=lambda parameter: shares.get(parameter.name, 0.0))[-MAX_AXES:]


def _score_dimension(scores: list[float]) -> dict[str, Any]:
    low, high = min(scores), max(scores)
    ticks = sorted({low + (high - low) * step / (_TICKS - 1) for step in range(_TICKS)})
    return {
        "label": "score",
        "values": scores,
        "tickvals": ticks,
        "ticktext": [f"{tick:.1%}" for tick in ticks],
    }


def _dimension(parameter: Hyperparameter, trials: Sequence[TrialRecord]) -> dict[str, Any]:
    values = [
        _placed(parameter, trial.hyperparameters[parameter.name])
        if parameter.name in trial.hyperparameters
        else None
        for trial in trials
    ]
    ticks = _ticks(parameter)
    low, high = min(ticks), max(ticks)
    below = low - (1.0 if _in_steps(parameter) else (high - low) * _GAP)
    if None in values:
        ticks = {below: "–", **ticks}
        low = below
    return {
        "label": _cut(parameter.name),
        "values": [below if value is None else value for value in values],
        "range": [low, high],
        "tickvals": list(ticks),
        "ticktext": list(ticks.values()),
    }


def _in_steps(parameter: Hyperparameter) -> bool:
    return parameter.kind == "categorical" or parameter.discrete


def _placed(parameter: Hyperparameter, value: Any) -> float:
    """Height of a value on its axis: its place among the choices, its log10, or itself."""
    if _in_steps(parameter):
        return float(parameter.choices.index(shown(value) if parameter.kind == "categorical" else value))
    return log10(value) if parameter.log else float(value)


def _ticks(parameter: Hyperparameter) -> dict[float, str]:
    """Height -> label: every choice, or round values between the two ends of the range."""
    if _in_steps(parameter):
        return {float(place): _cut(shown(choice), 16) for place, choice in enumerate(parameter.choices)}
    low, high = parameter.choices[0], parameter.choices[-1]
    ticks = log_ticks(low, high) if parameter.log else even_ticks(low, high, _TICKS)
    if parameter.kind == "integer":
        ticks = sorted({round(tick) for tick in ticks})
    return {_placed(parameter, tick): shown(tick) for tick in ticks}


def _cut(text: str, limit: int = 24) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
