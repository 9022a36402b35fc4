"""What a search goes on with, and what it begins anew, with trials that take no time."""

from __future__ import annotations

from pathlib import Path

import pytest

import run_search
from ferplus_data.cores import cores
from ferplus_data.readers import demo
from search import launch
from search.commands import retrain
from search.study.processes import processes_of
from search.study.run_directory import RunDirectory
from search.study.view import read_study
from tests.search import simulated

OPTIONS = ["--epochs", "2", "--pruner", "none", "--set", "backbone=small_vgg", "--cache-gb", "0"]


@pytest.fixture(autouse=True)
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated.without_training(monkeypatch)


def search(runs: Path, *options: str, code: int = 0) -> RunDirectory:
    assert run_search.main(["search", "--study", "s", "--runs-dir", str(runs), *OPTIONS, *options]) == code
    return RunDirectory.of(runs, "s")


def done(run: RunDirectory) -> list[int]:
    return [trial.number for trial in read_study(run).trials if trial.state == "complete"]


def test_a_fresh_search_begins_again_and_a_plain_one_goes_on(tmp_path: Path) -> None:
    run = search(tmp_path, "--trials", "2", "--seed", "1")
    created = run.read_config()["created"]
    assert done(search(tmp_path, "--trials", "3", "--seed", "1")) == [0, 1, 2]
    search(tmp_path, "--trials", "3", "--seed", "2", code=2)
    (run.trial(2) / "notes.txt").write_text("mine")
    config = run.config.read_text(encoding="utf-8")
    run.config.write_text(config.replace(created, "2001-01-01"), encoding="utf-8")
    search(
        tmp_path, "--trials", "1", "--seed", "2", "--fresh", code=2
    )  # no longer known to be of this database
    run.config.write_text(config, encoding="utf-8")
    assert done(search(tmp_path, "--trials", "1", "--seed", "2", "--fresh")) == [0]
    assert run.read_config()["arguments"]["seed"] == 2
    left = {path.name for path in run.trial(2).iterdir()}
    assert left == {
        "notes.txt",
        "executed.txt",
    }  # the latter is of the simulated training, which is none of ours


def test_every_process_that_works_on_a_study_is_in_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrain, "report_result", lambda *_: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run = search(tmp_path, "--trials", "2")
    study = ["--study", "s", "--runs-dir", str(tmp_path)]
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert run_search.main(["worker", *study]) == 0
    assert run_search.main(["retrain", *study]) == 0

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "retrain_best", interrupted)
    assert run_search.main(["retrain", *study]) == 130
    records = run.read_config()["processes"]
    assert [(record["command"], record["because"]) for record in records] == [
        ("search", "all 2 trials are done"),
        ("worker", "all 2 trials are done"),
        ("retrain", "done"),
        ("retrain", "interrupted"),
    ]
    assert [record["threads"]["openmp"] for record in records] == [3, *[cores()] * 3]
    assert all(record["ended"] > record["began"] and record["machine"]["cpus"] for record in records)
    assert records == processes_of(read_study(run).study)


def test_another_data_set_is_not_continued_with(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name, rows in (("one", (60, 30, 30)), ("other", (61, 30, 30))):
        (tmp_path / name).mkdir()
        demo.write(tmp_path / name, rows)
    space = ["--space", "small", "--trials", "1"]
    run = search(tmp_path / "runs", "--data", str(tmp_path / "one"), *space)
    fingerprint = run.read_config()["data"]["fingerprint"]
    search(tmp_path / "runs", "--data", str(tmp_path / "other"), *space, code=2)
    assert f"was begun on data {fingerprint[:12]}" in capsys.readouterr().err
    (tmp_path / "one").rename(tmp_path / "moved")
    assert done(search(tmp_path / "runs", "--data", str(tmp_path / "moved"), *space)) == [0]


@pytest.mark.parametrize("damage", ["oracle.json", "trial_0/trial.json"])
def test_an_oracle_of_keras_tuners_goes_on_where_it_was_or_names_the_folder(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    runs = tmp_path / "[runs]*"  # a pattern to Keras Tuner
    run = search(runs, "--oracle", "kt-random", "--trials", "2")
    assert done(search(runs, "--oracle", "kt-random", "--trials", "3")) == [0, 1, 2]
    file = run.path / "keras_tuner" / damage
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    search(runs, "--oracle", "kt-random", "--trials", "4", code=2)
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith("error: ") and "keras_tuner" in line and "remove the folder" in line
    file.write_bytes(content)
    (run.path / "keras_tuner" / "tuner0.json").write_bytes(b"")  # holds nothing
    assert done(search(runs, "--oracle", "kt-random", "--trials", "4")) == [0, 1, 2, 3]
