"""A study that the first version of this program has begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial

from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from reports.html.page import write_report
from search.storages.registry import open_storage, open_study
from search.study.arguments import SearchArguments
from search.study.config import check_continuation
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import read_study

COUNTS = [40, 30, 20, 10, 10, 2, 4, 2]
CONFIG: dict[str, Any] = {
    "version": 1,
    "study": "old",
    "created": "2026-11-20T12:00:00+00:00",
    "arguments": {
        "data": "demo", "space": "small", "oracle": "tpe", "pruner": "median", "trials": 2, "timeout": None, "epochs": 2,
        "retrain_epochs": 4, "retrain_seeds": 1, "search_fraction": 1.0, "seed": 0, "weights": None, "image_size": 0,
        "subset": 1.0, "dedupe": False, "pins": {}, "workers": 1, "gpus_per_trial": 1, "engine": "local", "ray_address": None,
        "grace": 60.0, "retries": 3, "artifacts": None, "precision": "auto", "cache_gb": None, "cache_views": 4,
    },
    "versions": {"python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.0", "optuna": "5.0.0"},
    "machine": {"system": "Linux x86_64", "cpus": 2, "processor": "", "gpus": [], "backend": "tensorflow"},
    "data": {
        "source": "demo",
        "fingerprint": "f" * 64,
        "counts": dict.fromkeys(("train", "val", "test"), COUNTS),
        "splits": dict.fromkeys(
            ("train", "val", "test"),
            {"rows": sum(COUNTS), "twins": 0, "votes": [*COUNTS, 0, 0], "agreement": [0] * 9 + [sum(COUNTS)]},
        ),
    },
    "git_commit": None,
    "space": {
        "space": [
            {
                "class_name": "Choice",
                "config": {
                    "name": "dropout", "default": 0.1, "conditions": [], "values": [0.1, 0.2, 0.3, 0.4], "ordered": True,
                },
            }
        ],
        "values": {"dropout": 0.1},
    },
}  # fmt: skip
"""config.json as that version wrote it."""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Four rows of two trials: the first was given up, died, and was completed; one row is no part of the study."""
    found = RunDirectory(tmp_path / "old")
    found.create()
    write_json(found.config, CONFIG)
    study = optuna.create_study(storage=storage_url(found, None), study_name="old", direction="maximize")
    study.set_user_attr("config", CONFIG)
    rows = [
        (TrialState.FAIL, {}, {"handed_back": True, "hyperparameters": {"dropout": 0.2}}, {1: 0.5}),
        (TrialState.FAIL, {}, {"discarded": "tried before"}, {}),
        (TrialState.FAIL, {"failed_trial": 0}, {"hyperparameters": {"dropout": 0.2}}, {1: 0.5}),
        (TrialState.COMPLETE, {"failed_trial": 0}, {"hyperparameters": {"dropout": 0.2}, "deaths": 1}, {1: 0.5, 2: 0.7}),
        (TrialState.FAIL, {}, {"hyperparameters": {"dropout": 0.1}, "error": "MemoryError"}, {}),
    ]  # fmt: skip
    for state, system, user, values in rows:
        study.add_trial(
            create_trial(
                state=state,
                value=0.7 if state == TrialState.COMPLETE else None,
                params={"dropout": 1},  # an index
                distributions={"dropout": IntDistribution(0, 3)},
                user_attrs=user,
                system_attrs=system,
                intermediate_values=values,
            )
        )
    return found


def test_it_is_reported(run: RunDirectory) -> None:
    first, second = read_study(run).trials
    assert (first.number, first.state, first.score, first.values) == (0, "complete", 0.7, {1: 0.5, 2: 0.7})
    assert first.hyperparameters == {"dropout": 0.2}
    assert (second.number, second.state, second.error) == (4, "failed", "MemoryError")


def test_its_page_is_written(run: RunDirectory) -> None:
    page = write_report(read_study(run), run.report).read_text(encoding="utf-8")
    assert "dropout" in page and "MemoryError" in page and "70.00%" in page


def test_it_is_not_continued(run: RunDirectory) -> None:
    with pytest.raises(InputError, match="another version of this program.*it can be reported"):
        check_continuation(run, SearchArguments())
    with pytest.raises(InputError, match="an earlier version of this program.*it can be reported"):
        open_study(open_storage(storage_url(run, None)), "old")
