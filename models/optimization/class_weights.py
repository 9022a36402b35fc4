"""How much a training row of each emotion counts in the loss: one function per weighting, and their table.

Only the ratios that a function gives matter: the table scales every weighting to a mean of 1 over the training rows, so that the
loss and with it the best learning rate stay where they are. The rows are those of the whole training split, whatever part of it a
trial is trained on. A keyword-only parameter that a function takes besides the counts is a hyperparameter of its own
(`models.hyperparameters`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferplus_data.errors import InputError

Weights = NDArray[np.float32]

# The baseline's README: the 32,733 kept rows over each emotion's count in all three splits together.
BASELINE_WEIGHTS = (
    2.74398525,
    3.56296941,
    7.9199129,
    8.44722581,
    12.27334083,
    215.34868421,
    50.51388889,
    230.51408451,
)

# Cui et al. 2019 try 0.9, 0.99, 0.999 and 0.9999. A class gains little beyond 1 / (1 - beta) rows, and 1,000
# lies between FER+'s four small classes (98 to 510 rows) and its large ones (2,097 to 9,509).
EFFECTIVE_NUMBER_BETA = 0.999


def baseline(train_counts: ArrayLike) -> Weights:
    """The baseline's own eight weights, whatever the counts are."""
    _checked(train_counts, classes=len(BASELINE_WEIGHTS))
    return np.array(BASELINE_WEIGHTS, dtype=np.float32)


def none(train_counts: ArrayLike) -> Weights:
    """Every row counts one."""
    return np.ones(len(_checked(train_counts)), dtype=np.float32)


def balanced(train_counts: ArrayLike) -> Weights:
    """N / (K n_c), with N training rows in K classes that have any: each class weighs the same in the loss
    (King & Zeng 2001; scikit-learn's class_weight="balanced")."""
    counts = _checked(train_counts)
    return _over_present(counts, lambda present: present.sum() / (len(present) * present))


def sqrt_balanced(train_counts: ArrayLike) -> Weights:
    """The square root of `balanced`: halfway, in the exponent, between it and no weighting."""
    return np.sqrt(balanced(train_counts))


def effective_number(train_counts: ArrayLike) -> Weights:
    """(1 - beta) / (1 - beta^n_c), with `EFFECTIVE_NUMBER_BETA` as beta.

    Cui et al. 2019, "Class-Balanced Loss Based on Effective Number of Samples".
    """
    return _over_present(
        _checked(train_counts),
        lambda present: (1 - EFFECTIVE_NUMBER_BETA) / (1 - EFFECTIVE_NUMBER_BETA**present),
    )


def _mean_one(weigh: Callable[..., Weights]) -> Callable[..., Weights]:
    """Return `weigh` scaled to a mean of 1 over the rows that it is given the counts of."""

    @functools.wraps(weigh)
    def scaled(train_counts: ArrayLike, **own: float) -> Weights:
        weights = weigh(train_counts, **own)
        return (weights / np.average(weights, weights=np.asarray(train_counts))).astype(np.float32)

    return scaled


CLASS_WEIGHTS: dict[str, Callable[..., Weights]] = {
    name: _mean_one(weigh)
    for name, weigh in {
        "baseline": baseline,
        "none": none,
        "balanced": balanced,
        "sqrt_balanced": sqrt_balanced,
        "effective_number": effective_number,
    }.items()
}
"""Weighting by name: rows per class of the whole training split, int [8], and its own parameters by name -> weights, float32 [8],
finite, with mean 1 over these rows."""


def _checked(train_counts: ArrayLike, classes: int | None = None) -> NDArray[np.float64]:
    counts = np.asarray(train_counts, dtype=np.float64)
    if (
        counts.ndim != 1
        or (counts < 0).any()
        or not counts.sum() > 0
        or len(counts) != (classes or len(counts))
    ):
        raise InputError(
            f"class weights: expected {classes or 'K'} training row counts, none negative and not all 0, "
            f"found {np.asarray(train_counts).tolist()}; look at the training split"
        )
    return counts


def _over_present(
    counts: NDArray[np.float64], weigh: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Weights:
    """`weigh` for the classes with rows; 0 for the others, whose weight no row ever asks for."""
    weights = np.zeros(len(counts), dtype=np.float32)
    weights[counts > 0] = weigh(counts[counts > 0])
    return weights
