"""A Gaussian process over the hyperparameters: what a study's trials say of the configurations that were not tried."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from scipy.stats import qmc, spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from reports.analysis.trials import judged
from reports.hyperparameters.declared import ObservedHyperparameter, shown
from reports.hyperparameters.families import families, family, joined
from search.study.view import StudyView, TrialRecord

MIN_TRIALS = 10
"""Trials with a score below which nothing is said."""
LEARNED_FROM = 120
"""Trials that lengthscales and noise are learned from; the time grows with their square."""
KEPT = 250
"""Trials that the process remembers; of more, a random part."""
RESAMPLES = 60
"""Bootstrap resamples of the trials behind every interval."""
ITERATIONS = 15
"""Of the search for lengthscales; the shares no longer move after about ten."""
IDLE = 10.0
"""Lengthscale, in a unit cube, from which a column makes no difference worth a parameter."""
STRONG = 3.0
"""Log of the odds that Kass and Raftery (1995, JASA 90, 773-795) call strong evidence."""
CHANCE = 0.01
"""Probability at which trials without any effect are taken for trials with one."""

Floats = NDArray[np.float64]


class Surrogate:
    """Matern 5/2 process, one lengthscale a column, on points of the unit cube.

    Names are one-hot columns; ordered choices stand evenly spaced; a hyperparameter that a trial does not have is at the
    middle. The targets are the trials' scores, dealt out by rank: complete trials above stopped ones, and of these the
    ones that got further above the others (`ranked`), so that an early stop counts as the bad sign that it is.

    Args:
        trials: Complete and stopped ones with a score, under the families' names.
        parameters: What varied among them.
    """

    def __init__(self, trials: Sequence[TrialRecord], parameters: Sequence[ObservedHyperparameter]) -> None:
        self.parameters, self.trials = tuple(parameters), len(trials)
        rng = np.random.default_rng(0)
        order = rng.permutation(len(trials))[:KEPT]
        targets = ranked(trials)
        self._mean, self._spread = float(targets.mean()), float(targets.std())
        self._targets = ((targets - self._mean) / self._spread)[order]
        chosen = [trials[index] for index in order]
        self._points = np.hstack([_columns(one, *_places(one, chosen)) for one in parameters])
        learned, self._evidence = self._learn(self._points[:LEARNED_FROM], self._targets[:LEARNED_FROM])
        self._signal, self._noise = learned.k1, float(learned.k2.noise_level)
        rows = np.vstack([np.arange(len(order)), rng.integers(0, len(order), (RESAMPLES, len(order)))])
        self._weights, self._left_out = self._solve(rows)

    @property
    def tells(self) -> bool:
        """Whether the trials are much likelier under the process than if no hyperparameter mattered, its parameters paid for, and
        those left out of a resample rank as the others predict, beyond chance."""
        if self._evidence < STRONG:
            return False
        seen = np.isfinite(self._left_out)
        if seen.sum() < MIN_TRIALS or np.ptp(self._left_out[seen]) == 0:
            return False
        return bool(
            spearmanr(self._left_out[seen], self._targets[seen], alternative="greater").pvalue < CHANCE
        )

    def resampled(self, points: Floats) -> Floats:
        """Predictions [1 + RESAMPLES, N] at encoded `points` [N, columns], standardised: of all trials, then of each resample."""
        return self._weights @ self._signal(self._points, points)

    def mean_over(self, fixed: Mapping[str, Floats], draws: int = 64) -> Floats:
        """Predicted score at each of the N places of the hyperparameters `fixed`, the mean over `draws` draws of the others."""
        count = len(next(iter(fixed.values())))
        others = qmc.Sobol(len(self.parameters), seed=0).random(draws)
        cube = np.tile(others, (count, 1))
        for index, parameter in enumerate(self.parameters):
            if parameter.name in fixed:
                cube[:, index] = np.repeat(fixed[parameter.name], draws)
        said = self._weights[0] @ self._signal(self._points, self.encoded(cube))
        return self._mean + self._spread * said.reshape(count, draws).mean(axis=1)

    def encoded(self, cube: Floats) -> Floats:
        """Points of the unit cube [N, parameters] as the process takes them; a hyperparameter whose conditions do not hold is
        as good as absent."""
        texts: dict[str, NDArray[Any]] = {}
        columns = []
        for drawn, parameter in zip(cube.T, self.parameters, strict=True):
            active = np.ones(len(cube), bool)
            for parent, wanted in parameter.conditions:
                if family(parent) in texts:
                    active &= np.isin(texts[family(parent)], [shown(value) for value in wanted])
            places = drawn
            if parameter.stepped:
                places = np.minimum(np.floor(drawn * len(parameter.choices)), len(parameter.choices) - 1)
                names = np.array([shown(choice) for choice in parameter.choices], dtype=object)
                texts[parameter.name] = np.where(active, names[places.astype(int)], "")
            columns.append(_columns(parameter, places, active))
        return np.hstack(columns)

    @staticmethod
    def _learn(points: Floats, targets: Floats) -> tuple[Any, float]:
        """The kernel, and by how much its log likelihood is above that of noise alone less what its parameters cost (Bayesian
        information criterion; a column as good as idle costs nothing)."""
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern([1.0] * points.shape[1], (0.1, 20), nu=2.5)
        process = GaussianProcessRegressor(kernel + WhiteKernel(0.1, (1e-3, 2)), optimizer=_minimise)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            process.fit(points, targets)
        used = int((process.kernel_.k1.k2.length_scale < IDLE).sum())
        noise = -len(targets) / 2 * (math.log(2 * math.pi * float(targets.var())) + 1)
        cost = (used + 1) / 2 * math.log(len(targets))
        return process.kernel_, float(process.log_marginal_likelihood_value_) - noise - cost

    def _solve(self, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Each resample's weights of the points, and the mean prediction of each point by the resamples without it."""
        count = len(self._targets)
        kernel = self._signal(self._points)
        weights = np.zeros((len(rows), count))
        for weight, own in zip(weights, rows, strict=True):
            solved = np.linalg.solve(
                kernel[np.ix_(own, own)] + self._noise * np.eye(count), self._targets[own]
            )
            weight += np.bincount(own, solved, count)
        without = np.array([np.bincount(own, minlength=count) == 0 for own in rows])
        times = without.sum(axis=0)
        said = np.where(without, weights @ kernel, 0).sum(axis=0)
        return weights, np.divide(said, times, out=np.full(count, np.nan), where=times > 0)


def ranked(trials: Sequence[TrialRecord]) -> Floats:
    """The trials' scores, dealt out anew in the order of (epochs, merit), complete trials last: the worst score to the trial
    that was stopped first with the least merit."""
    reached = [
        (math.inf if trial.state == "complete" else float(max(trial.values, default=0)), trial.merit)
        for trial in trials
    ]
    worst_first = sorted(trials, key=lambda trial: trial.merit)
    dealt = np.empty(len(trials))
    dealt[sorted(range(len(trials)), key=reached.__getitem__)] = [trial.score for trial in worst_first]
    return dealt


def surrogate(view: StudyView) -> Surrogate | None:
    """The process over the families of hyperparameters that varied in `view`; None where there are fewer than MIN_TRIALS
    scored trials, nothing varied, all scored the same, or the trials tell nothing beyond chance."""
    return _fitted(_Same(view.trials, view.config.get("space")))


class _Same:
    """Trials and space, equal where they are the same objects."""

    def __init__(self, trials: Sequence[TrialRecord], space: Any) -> None:
        self.trials, self.space = trials, space

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.trials is other.trials and self.space is other.space

    def __hash__(self) -> int:
        return id(self.trials)


@lru_cache(maxsize=2)
def _fitted(of: _Same) -> Surrogate | None:
    scored = judged(of.trials)
    parameters = [one for one in families(scored, of.space) if len(one.choices) > 1]
    if len(scored) < MIN_TRIALS or not parameters or len({trial.score for trial in scored}) == 1:
        return None
    # One thread: the matrices are small, and the search's workers need the others.
    with threadpool_limits(1):
        found = Surrogate(joined(scored), parameters)
    return found if found.tells else None


def _minimise(objective: Any, initial: Floats, bounds: Floats) -> tuple[Floats, float]:
    options = {"maxiter": ITERATIONS}
    found = scipy.optimize.minimize(
        objective, initial, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return found.x, float(found.fun)


def _places(
    parameter: ObservedHyperparameter, trials: Sequence[TrialRecord]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where each trial's value stands, a choice's index or 0 to 1, and whether it has one."""
    has = np.array([parameter.name in trial.hyperparameters for trial in trials])
    places = np.zeros(len(trials))
    for index in np.flatnonzero(has):
        value: Any = trials[int(index)].hyperparameters[parameter.name]
        if parameter.stepped:
            known = shown(value) if parameter.kind == "categorical" else value
            places[index] = parameter.choices.index(known)
        else:
            places[index] = place(parameter, value)
    return places, has


def place(parameter: ObservedHyperparameter, value: float) -> float:
    """Where a free number stands in its range, 0 to 1, on its scale."""
    low, high = parameter.low, parameter.high
    if parameter.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def value_at(parameter: ObservedHyperparameter, drawn: float) -> float:
    """The inverse of `place`."""
    if parameter.log:
        return math.exp(math.log(parameter.low) + drawn * math.log(parameter.high / parameter.low))
    return parameter.low + drawn * (parameter.high - parameter.low)


def _columns(parameter: ObservedHyperparameter, places: Floats, active: NDArray[np.bool_]) -> Floats:
    if parameter.kind == "categorical":
        hot = np.eye(len(parameter.choices))[places.astype(int)] / math.sqrt(2)
        return np.where(active[:, None], hot, 0.0)
    scaled = places / (len(parameter.choices) - 1) if parameter.discrete else places
    return np.where(active, scaled, 0.5)[:, None]
