"""Confidence interval of an accuracy."""

from __future__ import annotations


def wilson(accuracy: float, n: int) -> tuple[float, float]:
    """Score interval of a proportion with 95% coverage (Wilson, 1927, JASA 22(158), 209-212).

    Args:
        accuracy: observed proportion, 0 to 1. One that is no whole number of rows, such as a mean, counts as the nearest.
        n: number of rows it was observed on, at least 1.

    Returns:
        Lower and upper bound, each 0 to 1. Unlike the normal approximation it stays inside [0, 1] and has
        width at 0 and 1.
    """
    from scipy.stats import binomtest  # half a second, for which a command's help does not wait

    if n < 1 or not 0.0 <= accuracy <= 1.0:
        raise ValueError(f"Expected an accuracy in 0..1 over at least 1 row. Received: {accuracy} over {n}.")
    bounds = binomtest(round(accuracy * n), int(n)).proportion_ci(method="wilson")
    return float(bounds.low), float(bounds.high)
