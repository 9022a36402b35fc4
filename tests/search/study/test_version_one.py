"""A study that the first version of this program has begun."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial

from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from search.storages.registry import open_storage, open_study
from search.study.arguments import SearchArguments
from search.study.config import check_continuation
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import read_study


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Four rows of two trials: the first was given up, died, and was completed; one row is no part of the study."""
    found = RunDirectory(tmp_path / "old")
    found.create()
    data = {"source": "demo", "fingerprint": "f" * 64, "counts": dict.fromkeys(("train", "val", "test"), [1])}
    config = {"version": 1, "study": "old", "arguments": {"trials": 2}, "data": data}
    write_json(found.config, config)
    study = optuna.create_study(storage=storage_url(found, None), study_name="old", direction="maximize")
    study.set_user_attr("config", config)
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


def test_it_is_not_continued(run: RunDirectory) -> None:
    with pytest.raises(InputError, match="another version of this program.*it can be reported"):
        check_continuation(run, SearchArguments())
    with pytest.raises(InputError, match="an earlier version of this program.*it can be reported"):
        open_study(open_storage(storage_url(run, None)), "old")
