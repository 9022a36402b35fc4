"""JSON and CSV say what the study says."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports import WRITERS
from reports.writers.tables import TRIAL_COLUMNS, write_csv, write_json


def test_json_is_strict_and_complete(view, tmp_path):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    path = write_json(view, tmp_path / "report.json")
    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert read["study"] == view.name and read["metrics"] == view.metrics
    assert [t["number"] for t in read["trials"]] == [t.number for t in view.trials]
    assert [t["hyperparameters"] for t in read["trials"]] == [t.hyperparameters for t in view.trials]
    assert sum(read["counts"].values()) == len(view.trials)


def test_json_takes_what_training_really_leaves(study_of, tmp_path):
    view = study_of("full")
    metrics = {
        **view.metrics,
        "val_accuracy": np.float32(0.5),
        "n_val": np.int64(4),
        "test_accuracy": math.nan,
    }
    read = json.loads(write_json(replace(view, metrics=metrics), tmp_path / "r.json").read_text())["metrics"]
    assert (read["val_accuracy"], read["n_val"], read["test_accuracy"]) == (0.5, 4, None)


def test_csv_has_a_row_per_trial_and_a_column_per_hyperparameter(view, tmp_path):
    path = write_csv(view, tmp_path / "trials.csv")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(view.trials)
    for row, trial in zip(rows, view.trials, strict=True):
        named = {
            k.removeprefix("hyperparameter."): v for k, v in row.items() if k.startswith("hyperparameter.")
        }
        assert {k: v for k, v in named.items() if v} == {k: str(v) for k, v in trial.hyperparameters.items()}
        assert (row["score"] == "") == (trial.score is None)
    assert rows == [] or tuple(rows[0])[: len(TRIAL_COLUMNS)] == TRIAL_COLUMNS


def test_csv_writes_metrics_beside_the_trials_once_there_are_some(view, tmp_path):
    write_csv(view, tmp_path / "trials.csv")
    path = tmp_path / "trials_metrics.csv"
    assert path.exists() == (view.metrics is not None)
    if view.metrics is not None:
        table = pd.read_csv(path).set_index("metric")["value"]
        assert float(table["test_accuracy"]) == pytest.approx(view.metrics["test_accuracy"])
        assert int(table["confusion.test.0.0"]) == view.metrics["confusion"]["test"][0][0]


@pytest.mark.parametrize("form", [form for form in WRITERS if form != "png"])
def test_every_writer_makes_the_folder_and_returns_the_file(form, view, tmp_path):
    path = tmp_path / "new" / f"report.{form}"
    assert WRITERS[form](view, path) == path
    assert path.stat().st_size > 0


@pytest.mark.parametrize("write", [write_json, write_csv])
def test_tables_keep_storage_passwords_out(write, study_of, tmp_path):
    view = study_of("running")
    trials = [replace(view.trials[2], error="no answer from postgresql://ann:s3cret@host/db")]
    write(replace(view, trials=trials), tmp_path / "out")
    text = (tmp_path / "out").read_text()
    assert "ann:***@host" in text and "s3cret" not in text
