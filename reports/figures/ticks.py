"""Readable tick values where plotly's own would collide or carry needless digits."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, log10
from typing import Any

ACCURACY_AXIS: dict[str, Any] = {"tickformat": ".0%", "autorangeoptions": {"clipmin": 0, "clipmax": 1}}
"""Axis settings for accuracies: percent, never beyond 0 to 100% even around a single point."""

_CLEAR = 2.0
"""Ratio below which two labels on a log axis of a few decades run into each other."""
_MOST = 5
"""Labels between the ends of an axis that stay readable."""


def log_ticks(low: float, high: float) -> list[float]:
    """The two ends of a positive range and up to 5 powers of ten well inside it, ascending."""
    if high / low < _CLEAR:
        return [low] if low == high else [low, high]
    powers = range(ceil(log10(low)), floor(log10(high)) + 1)
    clear = max(_CLEAR, (high / low) ** (1 / (2 * _MOST)))
    step = ceil(len(powers) / _MOST) or 1
    inner = [10.0**power for power in powers[::-step][::-1]]
    return [low, *(tick for tick in inner if low * clear <= tick <= high / clear), high]


def even_ticks(low: float, high: float, count: int) -> list[float]:
    """The two ends of a range and `count` - 2 values evenly between them, rounded to 2 significant digits."""
    inner = [float(f"{low + (high - low) * step / (count - 1):.2g}") for step in range(1, count - 1)]
    return [low, *(tick for tick in inner if low < tick < high), high]


def whole_axis(numbers: Iterable[int]) -> dict[str, Any]:
    """Axis settings for whole numbers (trials, epochs): no tick between two of them when there are few."""
    found = list(numbers)
    few = not found or max(found) - min(found) < 8
    return {"tickformat": "d", **({"dtick": 1} if few else {})}
