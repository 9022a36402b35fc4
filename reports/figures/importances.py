"""Which hyperparameters mattered."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator

from reports.figures.style import SERIES, figure, plain
from reports.hyperparameters import Hyperparameter, shown, varied
from reports.trials import scored
from search.study import StudyView, TrialRecord

MIN_TRIALS = 10
"""Complete trials below which a ranking would be noise: TOP_TRIALS in the top group and as many outside."""
TOP_TRIALS = 5
"""Trials that Optuna's documentation of PedAnovaImportanceEvaluator asks for above the target quantile."""
TOP_QUANTILE = 0.1
"""Optuna's default target quantile, used as soon as it holds TOP_TRIALS trials."""


def draw(view: StudyView) -> go.Figure | None:
    """One bar per hyperparameter that varied, the most important on top, shares summing to 1."""
    shares = importances(view.trials)
    if not shares:
        return None
    names = list(reversed(shares))
    values = [shares[name] for name in names]
    bars = go.Bar(
        x=values,
        y=[plain(name, 32) for name in names],
        orientation="h",
        marker={"color": SERIES[0]},
        text=[f"{value:.0%}" if value >= 0.005 else "<1%" for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    return figure(
        bars,
        xaxis={
            "tickformat": ".0%",
            "range": [0, max(values) * 1.15],
            "title": {"text": "share of importance"},
        },
        height=90 + 28 * len(names),
        yaxis={"ticklabelstandoff": 4, "showgrid": False},
        bargap=0.35,
    )


def importances(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """Share of importance of each hyperparameter that varied over the complete trials: descending, sum 1.

    PED-ANOVA (Watanabe et al., IJCAI 2023; its conditional form, KDD 2026) on a throw-away study under the
    user's names and values, so conditional hyperparameters count. Empty when there are fewer than MIN_TRIALS
    complete trials, when nothing varied, or when every trial scored the same.
    """
    complete = scored(trials, "complete")
    parameters = varied(complete)
    if len(complete) < MIN_TRIALS or not parameters or len({trial.score for trial in complete}) == 1:
        return {}
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(TOP_QUANTILE, TOP_TRIALS / len(complete)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = evaluator.evaluate(_study(complete, parameters))
    total = sum(raw.values())
    if total <= 0:
        return {}
    return {name: value / total for name, value in sorted(raw.items(), key=lambda item: -item[1])}


def _study(complete: Sequence[TrialRecord], parameters: Sequence[Hyperparameter]) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
    finally:
        optuna.logging.set_verbosity(verbosity)
    distributions = {parameter.name: _distribution(parameter) for parameter in parameters}
    for trial in complete:
        params = {
            parameter.name: _encoded(parameter, trial.hyperparameters[parameter.name])
            for parameter in parameters
            if parameter.name in trial.hyperparameters
        }
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={name: distributions[name] for name in params},
                value=trial.score,
            )
        )
    return study


def _distribution(parameter: Hyperparameter) -> BaseDistribution:
    if parameter.kind == "categorical":
        return CategoricalDistribution(parameter.choices)
    if parameter.discrete:
        return IntDistribution(0, len(parameter.choices) - 1)
    low, high = parameter.choices[0], parameter.choices[-1]
    if parameter.kind == "integer":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=parameter.log)


def _encoded(parameter: Hyperparameter, value: Any) -> Any:
    if parameter.discrete:
        return parameter.choices.index(value)
    return shown(value) if parameter.kind == "categorical" else value
