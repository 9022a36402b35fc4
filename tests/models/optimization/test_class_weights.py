from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from ferplus_data.errors import InputError
from models.optimization.class_weights import BASELINE_WEIGHTS, CLASS_WEIGHTS

# FER+ under the baseline's protocol, by split: DESIGN's counts
TRAIN = np.array([9509, 7399, 3291, 3121, 2097, 111, 510, 115])
ALL = TRAIN + [1250, 882, 427, 356, 290, 26, 60, 14] + np.array([1170, 906, 415, 398, 280, 15, 78, 13])


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
@pytest.mark.parametrize("counts", [TRAIN, TRAIN * [1, 1, 0, 1, 1, 0, 1, 1], np.eye(8, dtype=int)[3]])
def test_every_weighting_gives_eight_finite_float32(name: str, counts: np.ndarray) -> None:
    weights = CLASS_WEIGHTS[name](counts)
    assert weights.dtype == np.float32 and weights.shape == (8,)
    assert np.isfinite(weights).all() and (weights[counts > 0] > 0).all()


@pytest.mark.parametrize("name", ["balanced", "sqrt_balanced", "effective_number"])
def test_a_class_without_training_rows_weighs_nothing_and_changes_no_other_weight(name: str) -> None:
    counts = TRAIN * [1, 1, 1, 1, 1, 0, 1, 0]
    weights = CLASS_WEIGHTS[name](counts)
    assert weights[5] == weights[7] == 0
    np.testing.assert_allclose(weights[counts > 0], CLASS_WEIGHTS[name](counts[counts > 0]), rtol=1e-6)


@pytest.mark.parametrize("name", ["baseline", "balanced", "sqrt_balanced", "effective_number"])
def test_rarer_classes_weigh_more(name: str) -> None:
    order = np.argsort(TRAIN)[::-1]
    weights = CLASS_WEIGHTS[name](TRAIN)[order]
    assert (np.diff(weights)[[0, 1, 2, 3, 4]] > 0).all()  # down to fear; the two rarest differ by four rows
    assert weights[-2:].min() > weights[:-2].max()


def test_the_seeds_list_is_all_rows_over_each_class() -> None:
    np.testing.assert_allclose(BASELINE_WEIGHTS, 32_733 / ALL, rtol=1e-8)
    weights = CLASS_WEIGHTS["baseline"](TRAIN)
    np.testing.assert_allclose(
        weights / weights[0], np.array(BASELINE_WEIGHTS) / BASELINE_WEIGHTS[0], rtol=1e-6
    )


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
@pytest.mark.parametrize("counts", [TRAIN, TRAIN * [1, 1, 0, 1, 1, 0, 1, 1], np.arange(1, 9)])
def test_every_weighting_has_mean_one_over_the_rows(name: str, counts: np.ndarray) -> None:
    assert CLASS_WEIGHTS[name](counts)[np.repeat(np.arange(8), counts)].mean() == pytest.approx(1, rel=1e-5)


GOLDEN = {
    "none": [1, 1, 1, 1, 1, 1, 1, 1],
    "baseline": [0.3470, 0.4506, 1.0016, 1.0683, 1.5522, 27.2347, 6.3884, 29.1527],
    "balanced": [0.3438, 0.4418, 0.9934, 1.0475, 1.5590, 29.4516, 6.4100, 28.4272],
    "sqrt_balanced": [0.6941, 0.7869, 1.1798, 1.2115, 1.4780, 6.4243, 2.9971, 6.3115],
    "effective_number": [0.8903, 0.8908, 0.9246, 0.9313, 1.0148, 8.4698, 2.2276, 8.1913],
}
"""To four digits, by decimal arithmetic of 50 digits from the counts: seed from all rows, N / n_c; effective_number by Cui et al.
2019, (1 - beta) / (1 - beta^n_c) with beta = 0.999; each over its mean over the training rows."""


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_the_weights_of_ferplus(name: str) -> None:
    np.testing.assert_allclose(CLASS_WEIGHTS[name](TRAIN), GOLDEN[name], atol=6e-5)


def test_balanced_is_scikit_learns() -> None:
    labels = np.repeat(np.arange(8), TRAIN)
    expected = compute_class_weight("balanced", classes=np.arange(8), y=labels)
    np.testing.assert_allclose(CLASS_WEIGHTS["balanced"](TRAIN), expected, rtol=1e-6)
    roots = CLASS_WEIGHTS["sqrt_balanced"](TRAIN)
    np.testing.assert_allclose((roots / roots[0]) ** 2, expected / expected[0], rtol=1e-5)


def test_effective_number_follows_cui_et_al() -> None:
    weights = CLASS_WEIGHTS["effective_number"](TRAIN)
    # the effective number of n rows is the sum of beta^0 .. beta^(n-1)
    effective = np.array([(0.999 ** np.arange(n)).sum() for n in TRAIN])
    np.testing.assert_allclose(weights * effective, (weights * effective)[0], rtol=1e-5)


def test_none_counts_every_row_once() -> None:
    np.testing.assert_array_equal(CLASS_WEIGHTS["none"](TRAIN), np.ones(8))


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
@pytest.mark.parametrize("counts", [np.zeros(8, int), [5, -1, 0, 0, 0, 0, 0, 0], [[1] * 8]])
def test_counts_that_are_none_are_refused(name: str, counts: object) -> None:
    with pytest.raises(InputError, match="training row counts"):
        CLASS_WEIGHTS[name](counts)


def test_the_seeds_list_needs_its_eight_classes() -> None:
    with pytest.raises(InputError, match="expected 8"):
        CLASS_WEIGHTS["baseline"]([10, 20, 30])
