"""Confidence interval of an accuracy."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""Two-sided 95% quantile of the standard normal distribution."""


def wilson(accuracy: float, n: int, z: float = Z_95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, 1927, JASA 22(158), 209-212).

    Args:
        accuracy: observed proportion, 0 to 1.
        n: number of rows it was observed on, at least 1.
        z: normal quantile; the default gives 95% coverage.

    Returns:
        Lower and upper bound, each 0 to 1. Unlike the normal approximation it stays inside [0, 1] and has
        width at 0 and 1.
    """
    if n < 1 or not 0.0 <= accuracy <= 1.0:
        raise ValueError(f"Expected an accuracy in 0..1 over at least 1 row. Received: {accuracy} over {n}.")
    spread = z * sqrt(accuracy * (1 - accuracy) / n + z * z / (4 * n * n))
    centre = accuracy + z * z / (2 * n)
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
