"""docs/results.md says what is stored, and nothing that is stored claims more than it shows."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.results import MEASUREMENTS, PAGE, Measurement, page, read, summary

ONE: dict[str, Any] = {
    "section": "s", "claim": "c", "unit": "times", "command": "python x.py", "machine": "m", "commit": "abc",
    "date": "2026-01-01", "n": 5, "of": "rounds",
}  # fmt: skip


def test_the_page_is_made_from_the_file() -> None:
    stored = [Measurement(**one) for one in read(MEASUREMENTS)]
    assert PAGE.read_text(encoding="utf-8") == page(stored), "run python benchmarks/results.py"


def test_the_median_of_values_and_its_interval() -> None:
    median, (low, high) = summary([1.0, 1.1, 1.2, 1.3, 5.0])
    assert median == 1.2 and (low, high) == (1.0, 5.0)
    made = Measurement(**ONE, values=[1.0, 1.1, 1.2, 1.3, 5.0])
    assert (made.median, list(made.interval)) == (1.2, [1.0, 5.0])
    assert "| c | 1.2 times | 1 to 5 | 5 rounds |" in page([made])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"median": 1.5}, "expected a median, an interval"),
        ({"median": 1.5, "interval": [1.6, 2.0]}, "within the interval"),
        ({"values": [0.9, 1.2, 1.3, 1.4], "nothing": 1.0}, "includes none"),
        ({"median": 1.5, "interval": [1.4, 1.6], "n": 1}, "n of 2 or more"),
    ],
)
def test_what_claims_too_much_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Measurement(**{**ONE, **given})
