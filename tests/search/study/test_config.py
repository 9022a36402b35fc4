"""A study's configuration: resolved when it is made, written and read, also as the version before wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from ferplus_data.errors import InputError
from ferplus_data.files import write_text
from search.study.arguments import SearchArguments
from search.study.config import check_continuation, read_arguments
from search.study.run_directory import RunDirectory

# As version 0.1.0 wrote it.
OLD: dict[str, Any] = {
    "version": 1,
    "study": "old",
    "arguments": {
        "data": "demo",
        "space": "small",
        "oracle": "tpe",
        "pruner": "halving",
        "trials": 3,
        "timeout": None,
        "epochs": 2,
        "retrain_epochs": 10,
        "retrain_seeds": 1,
        "search_fraction": 0.25,
        "seed": 4294967295,
        "weights": None,
        "image_size": 0,
        "subset": 0.5,
        "dedupe": False,
        "pins": {"backbone": "small"},
        "workers": 1,
        "gpus_per_trial": 1,
        "engine": "local",
        "ray_address": None,
        "grace": 120.0,
        "retries": 3,
        "artifacts": None,
    },
    "data": {
        "source": "demo",
        "fingerprint": "f" * 64,
        "counts": {"train": [3] * 8, "val": [1] * 8, "test": [1] * 8},
    },
    "space": [],
}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.of(tmp_path, "old")


def write(run: RunDirectory, config: Any) -> None:
    write_text(run.config, config if isinstance(config, str) else json.dumps(config))


def test_what_is_not_given_is_resolved() -> None:
    demo, real = SearchArguments(), SearchArguments(data="faces", space="small")
    assert (demo.space, demo.trials, demo.epochs, demo.retrain_epochs) == ("demo", 6, 4, 6)
    assert (real.trials, real.epochs, real.retrain_epochs, real.search_fraction) == (100, 9, 12, 0.25)
    assert SearchArguments(data="faces", space="small", epochs="7").retrain_epochs == 7
    assert SearchArguments(timeout="25m", grace="1h", pins=["dropout=0.5"]).pins == {"dropout": 0.5}
    assert SearchArguments(workers="auto").workers >= 1


def test_a_study_of_the_version_before_is_read(run: RunDirectory) -> None:
    write(run, OLD)
    arguments = read_arguments(run)
    assert attrs.asdict(arguments).items() >= OLD["arguments"].items()
    assert arguments.precision == "auto" and arguments.cache_views == 4


def test_what_is_written_is_read(run: RunDirectory) -> None:
    arguments = SearchArguments(seed=7, timeout="2d", pins=["batch_size=32"], cache_gb=0.5)
    write(run, {**OLD, "arguments": attrs.asdict(arguments)})
    assert read_arguments(run) == arguments


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        "null",
        '{"arguments": 3}',
        '{"arguments": {}}',
        "\0" * 100,
        json.dumps({**OLD, "arguments": {**OLD["arguments"], "trials": "many"}}),
        json.dumps({**OLD, "arguments": {**OLD["arguments"], "sharpness": 11}}),
    ],
)
def test_a_damaged_config_is_named(damaged: str, run: RunDirectory) -> None:
    write(run, damaged)
    with pytest.raises(InputError, match=r"old/config\.json") as raised:
        read_arguments(run)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed=4294967295"),
        ({"space": "baseline"}, "space='small'"),
        ({"pins": {}}, "pins="),
        ({"trials": 9, "timeout": 60, "workers": 2, "cache_gb": 1, "data": "elsewhere"}, None),
    ],
)
def test_a_study_is_continued_with_what_keeps_trials_comparable(
    change: dict[str, Any], said: str | None, run: RunDirectory
) -> None:
    write(run, {**OLD, "version": 2})
    arguments = SearchArguments(**{**OLD["arguments"], **change})
    if said is None:
        check_continuation(run, arguments, "f" * 64, [])
    else:
        with pytest.raises(InputError, match=said):
            check_continuation(run, arguments, "f" * 64, [])
    with pytest.raises(InputError, match="begun on data"):
        check_continuation(run, SearchArguments(**OLD["arguments"]), "0" * 64)


def test_every_seed_that_is_made_of_the_seed_is_one() -> None:
    assert SearchArguments(seed=2**32 - 1).seed == 2**32 - 1
    assert SearchArguments(seed=2**32 - 1, retrain_seeds=3).retrain_seeds == 3
    for seed in (2**32, 10**11, -1):
        with pytest.raises(InputError, match="--seed"):
            SearchArguments(seed=seed)
