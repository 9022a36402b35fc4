"""Optuna samplers by name. Adding one is a function here and a line in SAMPLERS."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ferplus_data.errors import InputError

_STARTUP_TRIALS = 10
"""Random trials before a model of the space is worth asking: Optuna's own default for TPE."""


_BEST, _LATEST = 50, 250
"""The trials that TPE models: the best, of which it takes up to 25 for the good ones (Optuna's default gamma), and the latest for
what it compares them with. A longer history costs time with every trial and hardly moves a density."""


def _tpe(seed: int) -> BaseSampler:
    # group: conditional parameters are modelled together with those they appear with.
    return _BoundedTPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=_STARTUP_TRIALS
    )


class _BoundedTPESampler(optuna.samplers.TPESampler):
    """TPE whose time for a trial does not grow with the study."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._analysed: set[int] = set()  # numbers of the trials whose parameters are in the search space

    def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
        self._view = _View.of(study)  # once a trial, before anything is sampled for it
        new = self._view.without(self._analysed)
        self._analysed.update(t.number for t in new._trials if t.state.is_finished())
        return super().infer_relative_search_space(new, trial)  # type: ignore[arg-type]

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
        return super().sample_relative(self._view, trial, search_space)  # type: ignore[arg-type]

    def sample_independent(self, study: Any, trial: Any, name: Any, distribution: Any) -> Any:
        return super().sample_independent(self._view, trial, name, distribution)  # type: ignore[arg-type]


class _View:
    """What the sampler sees of a study: its best and its latest trials, as they were when the view was made."""

    def __init__(self, study: optuna.Study, trials: list[FrozenTrial]) -> None:
        self._study, self._trials = study, trials
        self._storage = self

    @classmethod
    def of(cls, study: optuna.Study) -> _View:
        trials = study.get_trials(deepcopy=False)
        if len(trials) > _BEST + _LATEST:
            complete = (t for t in trials[:-_LATEST] if t.state == TrialState.COMPLETE)
            best = heapq.nlargest(_BEST, complete, key=lambda t: t.value or 0.0)
            running = (t for t in trials[:-_LATEST] if t.state == TrialState.RUNNING)
            trials = sorted([*best, *running], key=lambda t: t.number) + trials[-_LATEST:]
        return cls(study, trials)

    def without(self, numbers: set[int]) -> _View:
        """The view without the trials of these numbers."""
        return _View(self._study, [trial for trial in self._trials if trial.number not in numbers])

    def _get_trials(self, deepcopy: bool, states: Any, use_cache: bool = False) -> list[FrozenTrial]:
        return [trial for trial in self._trials if trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Nothing: what TPE shares with other processes here, they see as the trial's parameters the moment after."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


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
