"""The portfolio: an Optuna sampler that shares its trials out among three sources of suggestions."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.oracles.portfolio import density, sources
from search.oracles.portfolio.gaussian_process import start
from search.oracles.portfolio.improvement import Improvement, used
from search.oracles.portfolio.observations import Observation, observe
from search.oracles.portfolio.unit_cube import UnitCube
from search.oracles.pruners import rungs
from search.oracles.space.hyperparameters import Hyperparameter

STARTUP_TRIALS = 12
"""Random trials before the first model, or a quarter of the search where that is fewer."""
_GROWTH = 1.2
"""The process is fitted anew when its trials have grown by a fifth."""
_BEST, _LATEST = 60, 240
"""Trials that are looked at in a long search, so that a suggestion takes no longer in one."""
RANDOM, DENSITY, PROCESS = "random", "density", "process"


class PortfolioSampler(BaseSampler):
    """Uniform random draws, a density estimate on the highest rung, and a Gaussian process over hyperparameters and epochs.

    Neither model is best on every task, and each gets stuck on some; Thompson sampling gives the trials to whichever finds
    better ones. What a trial draws depends on the seed, its number and the trials that are known, and on nothing that the
    sampler remembers.

    Args:
        seed: Of all random numbers.
        space: What is declared. Without it every parameter that a trial had counts as one of its own that is always used.
        epochs: Of a full training; without it, the last that any trial has reported.
        startup: Random trials before the first model.
        maximize: Whether a higher value is better, for `visible`, which is not told of the study.

    Example:
        >>> study = optuna.create_study(sampler=PortfolioSampler(seed=0), direction="maximize")
        >>> study.optimize(lambda trial: -trial.suggest_float("x", -1, 1) ** 2, n_trials=30)
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        space: Sequence[Hyperparameter] = (),
        epochs: int | None = None,
        startup: int = STARTUP_TRIALS,
        maximize: bool = True,
    ) -> None:
        self._seed, self._space, self._epochs, self._startup = seed, list(space), epochs, startup
        self._maximize = maximize
        # What is known of this process's own trials where the study does not keep what is set on a trial under way.
        self._sources: dict[int, str] = {}
        self._kernels: dict[int, list[float]] = {}

    def visible(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return the trials that are looked at, in the order of their numbers: the best, the latest, those under way and
        the one that keeps the last fit."""
        if len(trials) <= _BEST + _LATEST:
            return list(trials)
        sign = 1 if self._maximize else -1
        earlier = trials[:-_LATEST]
        best = heapq.nlargest(_BEST, earlier, key=lambda trial: _best_value(trial, sign))
        fitted = [trial.number for trial in earlier if "kernel" in trial.user_attrs]
        chosen = {trial.number for trial in best} | set(fitted[-1:])
        kept = [t for t in earlier if t.number in chosen or t.state == TrialState.RUNNING]
        return [*kept, *trials[-_LATEST:]]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        _check(study)
        if self._space:
            return {one.name: one.sampled() for one in self._space if not one.sampled().single()}
        found: dict[str, BaseDistribution] = {}
        for known in study.get_trials(deepcopy=False):
            found.update(known.distributions)
        return {name: drawn_from for name, drawn_from in found.items() if not drawn_from.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        cube = UnitCube.of_space(self._space) if self._space else UnitCube.of_distributions(search_space)
        maximize = study.direction == StudyDirection.MAXIMIZE
        trials = [known for known in study.get_trials(deepcopy=False) if known.number != trial.number]
        observations = observe(trials, cube, maximize=maximize, sources=self._sources)
        epochs = self._epochs or max((one.last for one in observations), default=1) or 1
        rng = np.random.default_rng([self._seed, trial.number])
        kernels = self._kernels | {
            t.number: t.user_attrs["kernel"] for t in trials if "kernel" in t.user_attrs
        }
        source, rows = self._suggest(trial, cube, observations, epochs, kernels, rng)
        self._sources[trial.number] = source
        trial.set_user_attr("source", source)
        return cube.params(_new(rows, observations))

    def _suggest(
        self,
        trial: FrozenTrial,
        cube: UnitCube,
        observations: list[Observation],
        epochs: int,
        kernels: dict[int, list[float]],
        rng: np.random.Generator,
    ) -> tuple[str, np.ndarray]:
        """Return the source of the next trial, and its candidates, the most promising first."""
        drawn = cube.draw(20, rng)
        known = sum(one.evidence for one in observations)
        if trial.number + known < self._startup or cube.dimensions == 0:
            return RANDOM, drawn
        ladder = [*rungs(epochs), epochs]
        rung = density.highest_rung(observations, ladder)
        open_to = [RANDOM]
        if rung is not None:
            open_to.append(DENSITY)
        if len(used(observations)) >= 4:
            open_to.append(PROCESS)
        source = sources.choose(open_to, observations, epochs, rng)
        if source == DENSITY and rung is not None:
            return source, np.vstack([density.Density(observations, cube, rung).suggest(rng), drawn])
        if source == PROCESS:
            improvement = self._process(trial, cube, observations, ladder, kernels)
            return source, np.vstack([improvement.suggest(rng), drawn])
        return RANDOM, drawn

    def _process(
        self,
        trial: FrozenTrial,
        cube: UnitCube,
        observations: list[Observation],
        ladder: list[int],
        kernels: dict[int, list[float]],
    ) -> Improvement:
        """Return the process with the parameters of the last fit that a trial has kept, or new ones that this one keeps."""
        length = len(start(cube.dimensions))
        known = {number: np.array(kept) for number, kept in kernels.items() if len(kept) == length}
        latest = max(known, default=None)
        near = None if latest is None else known[latest]
        if latest is not None and trial.number < _GROWTH * latest:
            return Improvement(observations, cube, ladder, theta=near, near=near)
        improvement = Improvement(observations, cube, ladder, theta=None, near=near)
        self._kernels[trial.number] = [round(float(value), 4) for value in improvement.theta]
        trial.set_user_attr("kernel", self._kernels[trial.number])
        return improvement

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        _check(study)
        # A name of its own for each parameter, so that two of a trial are not drawn alike.
        words = [self._seed, trial.number, *param_name.encode()]
        cube = UnitCube.of_distributions({param_name: param_distribution})
        if cube.dimensions == 0:
            only = optuna.samplers.RandomSampler(seed=self._seed)
            return only.sample_independent(study, trial, param_name, param_distribution)
        return cube.params(cube.draw(1, np.random.default_rng(words))[0])[param_name]


def startup_of(trials: int | None) -> int:
    """Return how many trials of a search of `trials` are drawn at random before the first model."""
    return STARTUP_TRIALS if trials is None else min(STARTUP_TRIALS, max(trials // 4, 2))


def _best_value(trial: FrozenTrial, sign: int) -> float:
    values = trial.intermediate_values.values() or trial.values or []
    return max((sign * value for value in values if not math.isnan(value)), default=-math.inf)


def _new(rows: np.ndarray, observations: list[Observation]) -> np.ndarray:
    """The first of `rows` that no trial has had; the first if there is none."""
    if not observations:
        return rows[0]
    known = {one.row.tobytes() for one in observations if not one.evidence}
    return next((row for row in rows if row.tobytes() not in known), rows[0])


def _check(study: Study) -> None:
    if len(study.directions) > 1:
        raise ValueError(
            f"PortfolioSampler: expected a study of one objective, found {len(study.directions)}"
        )
