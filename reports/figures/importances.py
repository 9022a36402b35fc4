"""Which hyperparameters mattered."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import log
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)

from reports.analysis.families import joined
from reports.analysis.hyperparameters import Hyperparameter, shown, varied
from reports.analysis.trials import scored
from reports.figures.style import SERIES, figure, plain
from search.study.view import StudyView, TrialRecord

MIN_TRIALS = 10
"""Complete trials below which a ranking would be noise: TOP_TRIALS in the top group and as many outside."""
TOP_TRIALS = 5
"""Trials that Optuna's documentation of PedAnovaImportanceEvaluator asks for above the target quantile."""
TREES = 16
"""Trees of fANOVA's forest, a quarter of Optuna's default of 64: the time grows with them, and shares are read to a percent."""
TOP_QUANTILE = 0.1
"""Optuna's default target quantile, used as soon as it holds TOP_TRIALS trials."""


def draw(view: StudyView) -> go.Figure | None:
    """Two bars per hyperparameter that varied, PED-ANOVA's share and fANOVA's, the most important on top.

    fANOVA judges families (learning_rate for learning_rate@sgd and @adamw) and only those that every trial has, so
    conditional hyperparameters have no bar of its.
    """
    shares = importances(view.trials)
    if not shares:
        return None
    beside = fanova(view.trials)
    names = list(reversed(list(shares)))
    names = [name for name in reversed(list(beside)) if name not in shares] + names
    traces = [
        go.Bar(
            name=method,
            x=[values.get(name) for name in names],
            y=[plain(name, 32) for name in names],
            orientation="h",
            marker={"color": colour},
            text=[_share(values.get(name)) for name in names],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1%}<extra>" + method + "</extra>",
        )
        for method, values, colour in (("fANOVA", beside, SERIES[1]), ("PED-ANOVA", shares, SERIES[0]))
        if values
    ]
    return figure(
        *traces,
        showlegend=True,
        legend={"traceorder": "reversed"},
        xaxis={
            "tickformat": ".0%",
            "range": [0, max([*shares.values(), *beside.values()]) * 1.15],
            "title": {"text": "share of importance"},
        },
        height=120 + 36 * len(names),
        yaxis={"ticklabelstandoff": 4, "showgrid": False},
        bargap=0.25,
    )


def _share(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0%}" if value >= 0.005 else "<1%"


def importances(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """Share of importance of each hyperparameter that varied over the complete trials: descending, sum 1.

    PED-ANOVA (Watanabe et al., IJCAI 2023; its conditional form, KDD 2026) on a throw-away study under the
    user's names and values, so conditional hyperparameters count. Empty when there are fewer than MIN_TRIALS
    complete trials, when nothing varied, or when every trial scored the same.
    """
    complete = scored(trials, "complete")
    top = max(TOP_QUANTILE, TOP_TRIALS / max(MIN_TRIALS, len(complete)))
    return _shares(complete, varied(complete), PedAnovaImportanceEvaluator(target_quantile=top))


def fanova(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """Share of importance by fANOVA (Hutter et al., ICML 2014) of each family that every complete trial has: descending,
    sum 1; empty as `importances` is."""
    complete = joined(scored(trials, "complete"))
    always = [parameter for parameter in varied(complete) if not parameter.conditional]
    return _shares(complete, always, FanovaImportanceEvaluator(n_trees=TREES, seed=0))


def _shares(
    complete: Sequence[TrialRecord], parameters: Sequence[Hyperparameter], evaluator: BaseImportanceEvaluator
) -> dict[str, float]:
    if len(complete) < MIN_TRIALS or not parameters or len({trial.score for trial in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = evaluator.evaluate(_study(complete, parameters))
    total = sum(raw.values())
    if not total > 0:
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
    # In logs: fANOVA's forest splits at what it is given, whatever the distribution says.
    return FloatDistribution(log(low), log(high)) if parameter.log else FloatDistribution(low, high)


def _encoded(parameter: Hyperparameter, value: Any) -> Any:
    if parameter.discrete:
        return parameter.choices.index(value)
    if parameter.kind == "categorical":
        return shown(value)
    return log(value) if parameter.log else value
