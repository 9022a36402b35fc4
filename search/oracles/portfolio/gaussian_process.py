"""A Gaussian process over configurations and epochs: which configuration will be best after a full training.

Two values covary by k(x, x') (a + b D(t, t')) + c D(t, t'), and those of one trial by d more. k is a Matern 5/2 kernel with a
lengthscale for each coordinate, in which two categories are one step apart or none, and D(t, t') = 2 / (t + t' + 2) is the
kernel of curves that decay towards a limit (Swersky et al. 2014, Freeze-thaw Bayesian optimization). Values are replaced by
normal scores of their ranks, so that neither divergence nor a needle bends the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from scipy.stats import norm, rankdata

_WEIGHTS = 5
"""a, b, c, d and the noise e, before the lengthscales in a parameter vector, all as logarithms."""
# Priors of the logarithms. Lengthscales around 2 let the likelihood drop coordinates that do nothing.
_PRIOR_MEAN = np.log([1.0, 0.5, 0.5, 0.1, 0.01])
_PRIOR_WIDTH = np.array([1.0, 1.5, 1.5, 1.5, 1.5])
_LENGTHSCALE, _LENGTHSCALE_WIDTH = np.log(2.0), 1.5
_BOUNDS = (-7.0, 5.0)
_STEPS, _STEPS_ON = 25, 8
"""Of a first fit, and of one that goes on from the parameters of the last."""
_SQRT5 = np.sqrt(5.0)
_JITTER = 1e-6


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the standard normal quantiles of the ranks of `values`; equal ones share theirs."""
    return norm.ppf((rankdata(values) - 0.5) / len(values))


def start(dimensions: int) -> np.ndarray:
    """Return the parameters from which a first fit sets out: the most likely ones before any data."""
    return np.concatenate([_PRIOR_MEAN, np.full(dimensions, _LENGTHSCALE)])


@dataclass(frozen=True)
class Data:
    """Values that were seen.

    Args:
        rows: Configurations of the trials, (n, d).
        categories: Values of each categorical coordinate, 0 for a numerical one, (d,).
        trial: Index of the trial of each value, (m,).
        epochs: Of each value, (m,).
        scores: The values, (m,).
    """

    rows: np.ndarray
    categories: np.ndarray
    trial: np.ndarray
    epochs: np.ndarray
    scores: np.ndarray


class GaussianProcess:
    """The process given `data`, with its parameters at `theta`."""

    def __init__(self, data: Data, theta: np.ndarray) -> None:
        self._data, self._theta = data, theta
        covariance = Covariance(data).value(theta)[0]
        self._factor = cholesky(covariance, lower=True, check_finite=False)
        self._alpha = cho_solve((self._factor, True), data.scores, check_finite=False)

    def predict(self, rows: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the values that new trials with the configurations `rows` (n, d) will have at
        `epoch`, each (n,)."""
        a, b, c, d, _ = np.exp(self._theta[:_WEIGHTS])
        data = self._data
        decay = _decay(data.epochs, np.array([epoch]))
        k = _matern(apart(data.rows, rows, data.categories), self._theta[_WEIGHTS:])[data.trial]
        cross = k * (a + b * decay) + c * decay
        mean = cross.T @ self._alpha
        solved = solve_triangular(self._factor, cross, lower=True, check_finite=False)
        own = a + (b + c) * 2 / (2 * epoch + 2) + d
        return mean, np.sqrt(np.maximum(own - (solved**2).sum(0), 1e-10))


def fit(data: Data, near: np.ndarray | None = None) -> np.ndarray:
    """Return the most likely parameters a posteriori, searched from `near`, those of an earlier fit, or from the prior's."""
    theta = start(data.rows.shape[1]) if near is None else near
    covariance = Covariance(data)
    prior_mean = start(data.rows.shape[1])
    prior_width = np.concatenate([_PRIOR_WIDTH, np.full(data.rows.shape[1], _LENGTHSCALE_WIDTH)])

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        away = (at - prior_mean) / prior_width
        value, gradient = covariance.likelihood(at)
        return value + 0.5 * float(away @ away), gradient + away / prior_width

    bounds = [_BOUNDS] * len(theta)
    steps = {"maxiter": _STEPS if near is None else _STEPS_ON}
    found = minimize(loss, theta, jac=True, method="L-BFGS-B", bounds=bounds, options=steps)
    return found.x


def apart(left: np.ndarray, right: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Return the squared distance of two sets of configurations in each coordinate, (d, n, m); 1 between two categories."""
    difference = left.T[:, :, None] - right.T[:, None, :]
    return np.where(categories[:, None, None] > 0, difference != 0, difference**2)


def _matern(squares: np.ndarray, lengthscales: np.ndarray) -> np.ndarray:
    r = _SQRT5 * np.sqrt(np.tensordot(np.exp(-2 * lengthscales), squares, 1))
    return (1 + r + r**2 / 3) * np.exp(-r)


def _decay(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return 2.0 / (left[:, None] + right[None, :] + 2.0)


class Covariance:
    """The covariance of the values in `data`, as a function of the parameters."""

    def __init__(self, data: Data) -> None:
        self._trial, self._scores = data.trial, data.scores
        self._squares = apart(data.rows, data.rows, data.categories)
        self._decay = _decay(data.epochs, data.epochs)
        self._same = (data.trial[:, None] == data.trial[None, :]).astype(float)
        self._trials = len(data.rows)
        self._cell = data.trial[:, None] * self._trials + data.trial[None, :]

    def value(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the covariance (m, m), its part k (m, m), and the slope of k over the squared distance (n, n)."""
        a, b, c, d, e = np.exp(theta[:_WEIGHTS])
        r = _SQRT5 * np.sqrt(np.tensordot(np.exp(-2 * theta[_WEIGHTS:]), self._squares, 1))
        decayed = np.exp(-r)
        k = ((1 + r + r**2 / 3) * decayed)[np.ix_(self._trial, self._trial)]
        covariance = k * (a + b * self._decay) + c * self._decay + d * self._same
        covariance[np.diag_indices_from(covariance)] += e + _JITTER
        return covariance, k, -5 / 6 * (1 + r) * decayed

    def likelihood(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the negative logarithm of the likelihood, without its constant, and its gradient."""
        a, b, c, d, e = np.exp(theta[:_WEIGHTS])
        covariance, k, slope = self.value(theta)
        factor = cholesky(covariance, lower=True, check_finite=False)
        alpha = cho_solve((factor, True), self._scores, check_finite=False)
        value = 0.5 * float(self._scores @ alpha) + float(np.log(np.diag(factor)).sum())
        lower = dpotri(factor, lower=1)[0]
        inverse = np.tril(lower) + np.tril(lower, -1).T
        g = 0.5 * (inverse - np.outer(alpha, alpha))
        gd, gk = g * self._decay, g * k
        weights = [
            a * gk.sum(),
            b * (gk * self._decay).sum(),
            c * gd.sum(),
            d * (g * self._same).sum(),
            e * np.trace(g),
        ]
        by_trial = np.bincount(self._cell.ravel(), (a * g + b * gd).ravel(), minlength=self._trials**2)
        pull = by_trial.reshape(self._trials, self._trials) * slope
        lengthscales = -2 * np.exp(-2 * theta[_WEIGHTS:]) * np.tensordot(self._squares, pull, 2)
        return value, np.concatenate([weights, lengthscales])
