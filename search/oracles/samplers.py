"""Optuna samplers by name. Adding one is a function here, a line in SAMPLERS, and one in the oracles' table (registry.ORACLES).

A sampler is made anew for every trial, so it keeps nothing itself: what is known is in the study it is given. One that has a
method `visible` (trials -> trials) is shown no more of the study than that returns.
"""

from __future__ import annotations

import heapq
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ferplus_data.errors import InputError
from search.oracles.portfolio.sampler import PortfolioSampler, startup_of
from search.oracles.space.hyperparameters import Hyperparameter

_STARTUP_TRIALS = 10
"""Random trials before a model of the space is worth asking: Optuna's own default for TPE."""
_BEST, _LATEST = 50, 250
"""The trials that TPE models: the best, of which it takes up to 25 for the good ones (Optuna's default gamma), and the latest for
what it compares them with. A longer history costs time with every trial and hardly moves a density."""


@dataclass(frozen=True)
class SamplerSettings:
    """What a sampler is made from.

    Args:
        seed: Of its random numbers, below 2^32.
        space: What the space declares.
        epochs: Most epochs of a trial.
        maximize: Whether a higher value is better.
        trials: Most trials of the search; None: it is not known.
    """

    seed: int
    space: Sequence[Hyperparameter] = ()
    epochs: int = 1
    maximize: bool = True
    trials: int | None = None


class BoundedTPESampler(optuna.samplers.TPESampler):
    """TPE whose time for a trial does not grow with the study.

    Args:
        settings: What a sampler is made from.
        startup: Random trials before it models the space.
    """

    def __init__(self, settings: SamplerSettings, startup: int = _STARTUP_TRIALS) -> None:
        # group: conditional parameters are modelled together with those they appear with.
        super().__init__(
            seed=settings.seed,
            multivariate=True,
            group=True,
            constant_liar=True,
            n_startup_trials=startup,
        )
        self._inferred_for: int | None = None
        self._best_of = heapq.nlargest if settings.maximize else heapq.nsmallest

    # Optuna's own looks for constraints, of which there are none.
    after_trial = BaseSampler.after_trial

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the part of the space that is drawn together."""
        self._inferred_for = trial.number
        return super().infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw that part, whether or not it has been inferred for this trial."""
        if self._inferred_for != trial.number:  # Optuna's own takes it for granted
            self.infer_relative_search_space(study, trial)
        return super().sample_relative(study, trial, search_space)

    def visible(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return the best and the latest of the trials that it can use, and those under way."""
        used = [trial for trial in trials if trial.state != TrialState.FAIL]
        earlier, latest = used[:-_LATEST], used[-_LATEST:]
        complete = (trial for trial in earlier if trial.state == TrialState.COMPLETE)
        best = self._best_of(_BEST, complete, key=lambda trial: trial.value or 0.0)
        under_way = (trial for trial in earlier if not trial.state.is_finished())
        return sorted([*best, *under_way], key=lambda trial: trial.number) + latest


def _random(settings: SamplerSettings) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=settings.seed)


def _grid(settings: SamplerSettings) -> BaseSampler:
    # Walks the tree of a conditional space, which GridSampler's plain product cannot.
    return optuna.samplers.BruteForceSampler(seed=settings.seed)


def _cmaes(settings: SamplerSettings) -> BaseSampler:
    return optuna.samplers.CmaEsSampler(
        seed=settings.seed, n_startup_trials=_STARTUP_TRIALS, warn_independent_sampling=False
    )


def _gp(settings: SamplerSettings) -> BaseSampler:
    check_installed("gp")
    return optuna.samplers.GPSampler(seed=settings.seed, n_startup_trials=_STARTUP_TRIALS)


def _portfolio(settings: SamplerSettings) -> BaseSampler:
    return PortfolioSampler(
        seed=settings.seed,
        space=settings.space,
        epochs=settings.epochs,
        startup=startup_of(settings.trials),
        maximize=settings.maximize,
    )


SAMPLERS: dict[str, Callable[[SamplerSettings], BaseSampler]] = {
    "portfolio": _portfolio,
    "tpe": BoundedTPESampler,
    "random": _random,
    "grid": _grid,
    "cmaes": _cmaes,
    "gp": _gp,
}


def check_installed(sampler: str) -> None:
    """Raise InputError for a sampler whose package is not installed."""
    if sampler == "gp" and importlib.util.find_spec("torch") is None:
        raise InputError(
            "oracle gp: expected PyTorch, which Optuna's Gaussian process needs; pip install torch, or choose tpe or cmaes"
        )


def drawn_at_random(sampler: str, space: Sequence[Hyperparameter]) -> list[str]:
    """Return the names of those hyperparameters of `space` that `sampler` draws at random although it is a model of the others:
    Optuna's CMA-ES and Gaussian process model what every trial has, and CMA-ES numbers alone."""
    if sampler not in ("cmaes", "gp"):
        return []
    return [
        one.name
        for one in space
        if not one.sampled().single()
        and (one.conditions or (sampler == "cmaes" and isinstance(one.sampled(), CategoricalDistribution)))
    ]
