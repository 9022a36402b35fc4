"""What is read of best/metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ferplus_data.errors import InputError
from search.study.best import read_metrics

METRICS: dict[str, Any] = {
    "val_accuracy": 0.5,
    "test_accuracy": 0.5,
    "val_accuracy_new_photographs": None,
    "test_accuracy_new_photographs": 0.5,
    "n_val": 2,
    "n_test": 2,
    "n_val_new_photographs": 0,
    "n_test_new_photographs": 2,
    "per_class": {"val": [], "test": []},
    "confusion": {"val": [[1]], "test": [[1]]},
}


@pytest.mark.parametrize("field", METRICS)
def test_figures_of_another_shape_are_named(field: str, tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps(METRICS))
    assert read_metrics(tmp_path, of_one_trial=False) == METRICS
    file.write_text(json.dumps({**METRICS, field: "half"}))
    with pytest.raises(InputError, match=field):
        read_metrics(tmp_path, of_one_trial=False)


@pytest.mark.parametrize(
    ("field", "value"), [("n_val", 0), ("n_test", -3), ("n_val_new_photographs", -1), ("test_accuracy", 1.5)]
)
def test_figures_that_cannot_be_are_named(field: str, value: float, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({**METRICS, field: value}))
    with pytest.raises(InputError, match=f"found: {field} = {value}; remove it"):
        read_metrics(tmp_path, of_one_trial=False)


def test_a_model_that_was_not_measured_on_the_test_split_has_no_figures_of_it(tmp_path: Path) -> None:
    kept = {name: value for name, value in METRICS.items() if "test" not in name}
    without = {
        **kept,
        "test_accuracy": None,
        "n_test": None,
        "per_class": {"val": []},
        "confusion": {"val": [[1]]},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(without))
    assert read_metrics(tmp_path, of_one_trial=False) == without


def test_a_damaged_objective_of_a_seed_is_named(tmp_path: Path) -> None:
    seed = {"seed": 1, "val_accuracy": 0.5, "test_accuracy": 0.5}
    of_one = {**METRICS, "hyperparameters": {}, "trial": 0, "seeds": [seed]}
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps(of_one))
    assert read_metrics(tmp_path) == of_one  # as versions before have written it
    file.write_text(json.dumps({**of_one, "seeds": [{**seed, "objectives": {"val": {"macro_f1": "high"}}}]}))
    with pytest.raises(InputError, match=r"seeds\.0\.objectives\.val\.macro_f1"):
        read_metrics(tmp_path)
