"""What is told of a search with the prefix cache beside the one without it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cached_search import compare


def test_ratios_ranks_and_winners_are_of_the_same_trials_without_the_cache() -> None:
    number = range(10)
    without: dict[str, list[Any]] = {
        "scores": [0.5 + 0.01 * n for n in number],
        "seconds": [10.0 + n for n in number],
        "cached": [False] * 10,
    }
    swapped = [0, 2, 1, *range(3, 10)]
    cold = {
        "scores": [without["scores"][n] for n in swapped],
        "seconds": [10.0] * 5 + [5.0] * 5,
        "cached": [n > 4 for n in number],
    }
    warm = {
        "scores": without["scores"][::-1],
        "seconds": [1.0 + n for n in number],
        "cached": [True] * 10,
    }
    found = compare({"without": without, "cold": cold, "warm": warm})
    assert list(found) == ["cold", "warm"]
    value, low, high = found["cold"]["time_ratio"]
    assert value == pytest.approx(75 / 145, abs=1e-3) and 0.3 < low < value < high < 0.9
    assert found["warm"]["time_ratio"][0] == pytest.approx(55 / 145, abs=1e-3)
    value, low, high = found["cold"]["kendall_tau"]
    assert value == pytest.approx(43 / 45, abs=1e-3)  # of 45 pairs one is turned round
    assert 0.7 < low < value < high == 1
    assert found["warm"]["kendall_tau"][0] == -1
    assert [one["cached"] for one in found.values()] == [5, 10]
    assert [one["same_winner"] for one in found.values()] == [True, False]
