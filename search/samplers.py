"""Optuna samplers by name. Adding one is a function here and a line in SAMPLERS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from ferplus_data.errors import InputError

_STARTUP_TRIALS = 10
"""Random trials before a model of the space is worth asking: Optuna's own default for TPE."""


def _tpe(seed: int) -> BaseSampler:
    # group: conditional parameters are modelled together with those they appear with.
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=_STARTUP_TRIALS
    )


def _random(seed: int) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _grid(seed: int) -> BaseSampler:
    # Walks the tree of a conditional space, which GridSampler's plain product cannot.
    return _BruteForceSampler(seed=seed)


class _BruteForceSampler(optuna.samplers.BruteForceSampler):
    def after_trial(self, *arguments: Any, **options: Any) -> None:
        # At the last point it asks the study to stop, which only study.optimize can; the oracle sees the end by itself.
        with contextlib.suppress(RuntimeError):
            super().after_trial(*arguments, **options)


def _cmaes(seed: int) -> BaseSampler:
    return optuna.samplers.CmaEsSampler(
        seed=seed, n_startup_trials=_STARTUP_TRIALS, warn_independent_sampling=False
    )


def _gp(seed: int) -> BaseSampler:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(
            "oracle gp: expected PyTorch, which Optuna's Gaussian process needs; pip install torch, or choose tpe or cmaes"
        ) from error
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=_STARTUP_TRIALS)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "grid": _grid,
    "cmaes": _cmaes,
    "gp": _gp,
}
