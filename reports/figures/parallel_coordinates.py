"""Parallel coordinates over the hyperparameters the user named."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from models.metrics.objectives import Objective
from reports.analysis.trials import judged
from reports.figures.style import NEUTRAL, SCORE_COLOURS, figure, plain
from reports.figures.ticks import even_ticks, log_ticks
from reports.hyperparameters.declared import ObservedHyperparameter, shown, varied
from reports.hyperparameters.families import family
from reports.hyperparameters.importance import importances
from search.study.view import StudyView, TrialRecord

MAX_AXES = 9
"""Axes beside the score's that stay readable at the page's width; the most important are kept."""
_SHADES = 12
"""Steps of colour: lines of one shade share a trace, because a trace per trial is slow to draw."""
_FEW = 100
_GAP = 0.12
_TICKS = 5
SCORE = "score"


def draw(view: StudyView) -> go.Figure | None:
    """One line per scored complete or pruned trial, coloured by the rank of its score; up to MAX_AXES axes.

    Lines, not plotly's parcoords, which needs WebGL. Every axis is scaled to 0..1; the customdata of a point are the
    trial's number, the axis's name and the value as text. A missing value stands at a tick "–" below the lowest. Log axes
    are placed by log10.
    """
    trials = judged(view.trials)
    parameters = _chosen(view, varied(trials, view.config.get("space")))
    if len(trials) < 2 or not parameters:
        return None
    trials.sort(key=lambda trial: trial.merit)
    axes = [*(_axis(parameter, trials) for parameter in parameters), _score_axis(trials, view.objective)]
    return figure(
        *_lines(trials, axes),
        _ticks_text(axes),
        shows=_said(trials),
        showlegend=False,
        margin={"l": 60, "r": 40, "t": 8, "b": 12},
        xaxis={
            "side": "top",
            "tickvals": list(range(len(axes))),
            "ticktext": [plain(axis.name, 24) for axis in axes],
            "tickangle": -22,
            "range": [-0.35, len(axes) - 0.85],
            "gridcolor": NEUTRAL,
            "fixedrange": True,
        },
        yaxis={"visible": False, "range": [-0.03, 1.03], "fixedrange": True},
    )


class _Axis:
    """One axis: the heights (0..1) and texts of the trials' values on it, and its ticks, height -> text."""

    def __init__(
        self, name: str, places: Sequence[float], texts: Sequence[str], ticks: dict[float, str]
    ) -> None:
        low, high = min(ticks), max(ticks)
        scale = (high - low) or 1.0
        self.name, self.texts = name, list(texts)
        self.heights = [(place - low) / scale for place in places]
        self.ticks = {(place - low) / scale: text for place, text in ticks.items()}


def _lines(trials: Sequence[TrialRecord], axes: Sequence[_Axis]) -> list[go.Scatter]:
    """Worst scores first, so that the best lie on top."""
    ranks = {merit: rank for rank, merit in enumerate(sorted({trial.merit for trial in trials}))}
    top = max(1, len(ranks) - 1)
    shade = [round((_SHADES - 1) * ranks[trial.merit] / top) for trial in trials]
    few = len(trials) <= _FEW
    traces = []
    for step in sorted(set(shade)):
        x: list[int | None] = []
        y: list[float | None] = []
        said: list[list[Any] | None] = []
        for index, trial in enumerate(trials):
            if shade[index] != step:
                continue
            x += [*range(len(axes)), None]
            y += [*(round(axis.heights[index], 4) for axis in axes), None]
            said += [*([trial.number, plain(axis.name), plain(axis.texts[index])] for axis in axes), None]
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                customdata=said,
                mode="lines+markers",
                meta="trials",
                line={
                    "color": sample_colorscale(SCORE_COLOURS, step / (_SHADES - 1))[0],
                    "width": 1.4 if few else 0.8,
                },
                marker={"size": 4 if few else 2},
                opacity=0.75 if few else 0.3 + 0.4 * step / (_SHADES - 1),
                hovertemplate="trial %{customdata[0]}<br>%{customdata[1]}: %{customdata[2]}<extra></extra>",
            )
        )
    return traces


def _said(trials: Sequence[TrialRecord]) -> str:
    """What the best trials have in common, of `trials` the best last."""
    top = trials[-max(3, len(trials) // 20) :]
    values = [{name: shown(value) for name, value in trial.hyperparameters.items()} for trial in top]
    common = {name: text for name, text in values[0].items() if all(one.get(name) == text for one in values)}
    shared = ", ".join(f"{name} {text}" for name, text in list(common.items())[:6]) or "no value"
    return (
        f"{len(trials):,} trials across their hyperparameters. The {len(top)} best have in common: {shared}."
    )


def _ticks_text(axes: Sequence[_Axis]) -> go.Scatter:
    placed = [(x, height, text) for x, axis in enumerate(axes) for height, text in axis.ticks.items()]
    return go.Scatter(
        name="ticks",
        x=[x - 0.04 for x, _, _ in placed],
        y=[height for _, height, _ in placed],
        text=[text for _, _, text in placed],
        mode="text",
        textposition="middle left",
        textfont={"size": 11},
        cliponaxis=False,
        hoverinfo="skip",
    )


def _chosen(view: StudyView, parameters: list[ObservedHyperparameter]) -> list[ObservedHyperparameter]:
    """The MAX_AXES most important, rising towards the score; the first MAX_AXES if importance is unknown."""
    shares = {one.name: one.share for one in importances(view)}
    if not shares:
        return parameters[:MAX_AXES]
    return sorted(parameters, key=lambda parameter: shares.get(family(parameter.name), 0.0))[-MAX_AXES:]


def _score_axis(trials: Sequence[TrialRecord], objective: Objective) -> _Axis:
    """The best on top, so that of a loss the numbers fall."""
    merits = [trial.merit for trial in trials]
    low, high = min(merits), max(merits)
    ticks = sorted({low + (high - low) * step / (_TICKS - 1) for step in range(_TICKS)})
    said = [f"{trial.score:{objective.format(2)}}" for trial in trials]
    sign, form = 1 if objective.direction == "max" else -1, objective.format()
    return _Axis(SCORE, merits, said, {tick: f"{sign * tick:{form}}" for tick in ticks})


def _axis(parameter: ObservedHyperparameter, trials: Sequence[TrialRecord]) -> _Axis:
    values = [
        _placed(parameter, trial.hyperparameters[parameter.name])
        if parameter.name in trial.hyperparameters
        else None
        for trial in trials
    ]
    texts = [
        shown(trial.hyperparameters[parameter.name]) if parameter.name in trial.hyperparameters else "–"
        for trial in trials
    ]
    ticks = _ticks(parameter)
    low, high = min(ticks), max(ticks)
    below = low - (1.0 if parameter.stepped else (high - low) * _GAP)
    if None in values:
        ticks = {below: "–", **ticks}
    return _Axis(parameter.name, [below if value is None else value for value in values], texts, ticks)


def _placed(parameter: ObservedHyperparameter, value: Any) -> float:
    """Height of a value on its axis: its place among the choices, its log10, or itself."""
    if parameter.stepped:
        return float(parameter.choices.index(shown(value) if parameter.kind == "categorical" else value))
    return log10(value) if parameter.log else float(value)


def _ticks(parameter: ObservedHyperparameter) -> dict[float, str]:
    """Height -> label: every choice, or round values between the two ends of the range."""
    if parameter.stepped:
        return {float(place): plain(shown(choice), 14) for place, choice in enumerate(parameter.choices)}
    low, high = parameter.choices[0], parameter.choices[-1]
    ticks = log_ticks(low, high) if parameter.log else even_ticks(low, high, _TICKS)
    if parameter.kind == "integer":
        ticks = sorted({round(tick) for tick in ticks})
    return {_placed(parameter, tick): shown(tick) for tick in ticks}
