"""docs/results.md says what is stored, and nothing that is stored claims more than it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import MEASUREMENTS, PAGE, Measurement, of_run, page, read, summary

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


def test_a_study_has_the_accuracies_of_its_model_and_of_every_seed(tmp_path: Path) -> None:
    seeds = [{"val_accuracy": 0.8, "test_accuracy": a} for a in (0.81, 0.79, 0.83)]
    figures = {"accuracy": 0.81, "interval": [0.7, 0.9], "macro_f1": 0.6, "macro_f1_interval": [0.5, 0.7]}
    metrics = {
        "hyperparameters": {"backbone": "small"},
        "photographs": {
            "val": {"all_rows": {"n": 100, **figures, "accuracy": 0.8}, "new_photographs": None},
            "test": {"all_rows": {"n": 50, **figures}, "new_photographs": {"n": 40, **figures}},
        },
        "test_reading": 2,
        "seeds": seeds,
    }
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "metrics.json").write_text(json.dumps(metrics))
    config = {"study": "faces", "git_commit": "0123456789abcdef", "created": "2026-01-02T03:04:05"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = [Measurement(**one) for one in of_run(tmp_path, "search", "m")]
    accuracy, f1 = (81.0, [70.0, 90.0]), (60.0, [50.0, 70.0])
    assert [(one.claim, (one.median, one.interval), one.n, one.of) for one in found] == [
        ("small, validation accuracy (chosen on these rows)", (80.0, [70.0, 90.0]), 100, "faces"),
        ("small, validation macro-F1 (chosen on these rows)", f1, 100, "faces"),
        (
            "small, validation accuracy of retrainings, the median of the seeds",
            (80.0, [80.0, 80.0]),
            3,
            "seeds",
        ),
        ("small, test accuracy (reading 2)", accuracy, 50, "faces"),
        ("small, test macro-F1 (reading 2)", f1, 50, "faces"),
        ("small, test accuracy, new photographs (reading 2)", accuracy, 40, "faces"),
        ("small, test macro-F1, new photographs (reading 2)", f1, 40, "faces"),
        ("small, test accuracy of retrainings, the median of the seeds", (81.0, [79.0, 83.0]), 3, "seeds"),
    ]
    assert {(one.section, one.commit, one.date) for one in found} == {
        ("The study faces", "012345678", "2026-01-02")
    }


def test_a_study_has_what_the_search_improved_on_the_known_recipe(tmp_path: Path) -> None:
    one = {"value": 0.83, "other": 0.81, "difference": 0.02, "low": -0.001, "high": 0.05}
    said = {"photographs": 90, "seeds": 3, "by": {"accuracy": one, "nll_votes": one}}
    metrics = {
        "hyperparameters": {},
        "photographs": {},
        "test_reading": 1,
        "improvement": {"split": "val", **said},
        "improvement_test": {"split": "test", **said},
    }
    config = {"study": "faces", "git_commit": "0" * 40, "created": "2026-01-02T00:00:00"}
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "config.json").write_text(json.dumps(config))
    val, test = (Measurement(**one) for one in of_run(tmp_path, "search", "m"))
    assert val.claim == "what the search found minus the known recipe, validation accuracy"
    assert "83.00 against 81.00 %, means of 3 seeds" in val.note and "chosen on these rows" in val.note
    assert test.claim.endswith("test accuracy") and "chosen" not in test.note
    assert (test.median, test.interval, test.n, test.unit) == (2.0, [-0.1, 5.0], 90, "points")
