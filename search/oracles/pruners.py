"""Optuna pruners by name. Adding one is a function here and a line in PRUNERS.

A pruner sees the objective after each epoch and the epochs a trial may have. An ordinary one says whether to go on; a
`RestingPruner` can also let a trial rest with its checkpoint and promote it later.
"""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.pruners import BasePruner

from search.oracles.promotion import PromotionPruner


def _none(epochs: int) -> BasePruner:
    return optuna.pruners.NopPruner()


def _median(epochs: int) -> BasePruner:
    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)


def _halving(epochs: int) -> BasePruner:
    # Asynchronous successive halving (Li et al. 2020): the best third of the trials goes on to three times the epochs.
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def _hyperband(epochs: int) -> BasePruner:
    # Li et al. 2018, reduction factor 3 as in the paper.
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


def _promotion(epochs: int) -> BasePruner:
    return PromotionPruner(epochs)


PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "promotion": _promotion,
    "none": _none,
    "median": _median,
    "halving": _halving,
    "hyperband": _hyperband,
}
