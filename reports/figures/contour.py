"""The two most important hyperparameters together."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from reports.analysis.trials import judged
from reports.figures.style import ACCENT, SCORE_SURFACE, figure, plain
from reports.figures.ticks import even_ticks, log_ticks
from reports.hyperparameters.declared import ObservedHyperparameter, shown
from reports.hyperparameters.explanations import title
from reports.hyperparameters.families import member
from reports.hyperparameters.importance import importances
from reports.hyperparameters.surrogate import place, surrogate, value_at
from search.study.view import StudyView

STEPS = 20
"""Places of a free number along its axis."""


def draw(view: StudyView) -> go.Figure | None:
    """The score that the trials lead one to expect over the first two hyperparameters, the mean over the others, with a dot
    where each trial was. Both axes are the hyperparameters' places: 0 to 1 on a free number's scale, a choice's number."""
    model, shares = surrogate(view), importances(view)
    if model is None or len(shares) < 2:
        return None
    by_name = {parameter.name: parameter for parameter in model.parameters}
    across, up = (by_name[one.name] for one in shares[:2])
    x, y = _grid(across), _grid(up)
    pairs = np.array([(a, b) for b in _unit(up, y) for a in _unit(across, x)])
    surface = model.mean_over({across.name: pairs[:, 0], up.name: pairs[:, 1]}).reshape(len(y), len(x))
    lowest, form = view.objective.direction == "min", view.objective.format()
    row, column = np.unravel_index(int((surface.argmin if lowest else surface.argmax)()), surface.shape)
    label = view.objective.label
    at = f"{_said(across, x[column])} and {_said(up, y[row])}"
    names = f"{title(across.name)} and {title(up.name)}"
    return figure(
        go.Heatmap(
            x=x,
            y=y,
            z=surface.round(4),
            colorscale=SCORE_SURFACE,
            reversescale=lowest,
            zsmooth=False if across.stepped or up.stepped else "best",
            colorbar={"tickformat": view.objective.format(0), "thickness": 12, "outlinewidth": 0},
            customdata=[[[_said(across, a), _said(up, b)] for a in x] for b in y],
            hovertemplate=f"%{{customdata[0]}}, %{{customdata[1]}}: about %{{z:{form}}}<extra></extra>",
            meta="own colours",
        ),
        _tried(view, across, up),
        shows=f"Expected validation {label} over {names}: from {surface.min():{form}} to {surface.max():{form}}, best at {at}.",
        title=f"{title(across.name)[:1].upper()}{title(across.name)[1:]} by {title(up.name)}",
        caption=f"Validation {label} that the trials lead one to expect over {names}, the mean over everything else; a dot is "
        "a trial. Where there are no dots it is a guess.",
        showlegend=False,
        xaxis={"title": {"text": plain(across.name)}, "showgrid": False, **_axis(across)},
        yaxis={"title": {"text": plain(up.name)}, "showgrid": False, **_axis(up)},
    )


def _grid(parameter: ObservedHyperparameter) -> list[float]:
    if parameter.stepped:
        return [float(index) for index in range(len(parameter.choices))]
    return [step / (STEPS - 1) for step in range(STEPS)]


def _unit(parameter: ObservedHyperparameter, places: list[float]) -> list[float]:
    """The places as coordinates of the unit cube: a choice's is the middle of its share."""
    return [(one + 0.5) / len(parameter.choices) for one in places] if parameter.stepped else places


def _said(parameter: ObservedHyperparameter, at: float) -> str:
    value = parameter.choices[round(at)] if parameter.stepped else value_at(parameter, at)
    return plain(f"{parameter.name} {shown(float(f'{value:.3g}') if isinstance(value, float) else value)}")


def _tried(view: StudyView, across: ObservedHyperparameter, up: ObservedHyperparameter) -> go.Scatter:
    points = []
    for trial in judged(view.trials):
        own = [member(trial.hyperparameters, parameter.name) for parameter in (across, up)]
        if own[0] is not None and own[1] is not None:
            at = [_at(parameter, found[1]) for parameter, found in ((across, own[0]), (up, own[1]))]
            points.append((trial, at))
    return go.Scatter(
        x=[at[0] for _, at in points],
        y=[at[1] for _, at in points],
        mode="markers",
        meta="trials",
        customdata=[[trial.number] for trial, _ in points],
        text=[f"{trial.score:{view.objective.format(2)}}" for trial, _ in points],
        marker={"size": 6, "color": "white", "line": {"color": ACCENT, "width": 1.4}},
        opacity=0.85 if len(points) <= 200 else 0.5,
        hovertemplate="trial %{customdata[0]}: %{text}<extra></extra>",
    )


def _at(parameter: ObservedHyperparameter, value: Any) -> float:
    if parameter.kind == "categorical":
        return float(parameter.choices.index(shown(value)))
    if parameter.discrete:
        return float(parameter.choices.index(value))
    return place(parameter, value)


def _axis(parameter: ObservedHyperparameter) -> dict[str, Any]:
    if parameter.stepped:
        texts = [plain(shown(choice), 16) for choice in parameter.choices]
        return {"tickvals": list(range(len(texts))), "ticktext": texts, "range": [-0.5, len(texts) - 0.5]}
    ticks = (log_ticks if parameter.log else lambda low, high: even_ticks(low, high, 5))(
        parameter.low, parameter.high
    )
    return {
        "tickvals": [place(parameter, tick) for tick in ticks],
        "ticktext": [f"{t:.2g}" for t in ticks],
        "range": [0, 1],
    }
