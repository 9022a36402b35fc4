"""What a search does to directories and stored studies that it finds under the names it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from ferplus_data.errors import InputError
from ferplus_data.files.owned import OwnFolder
from models.metrics.objectives import OBJECTIVES
from models.training.checkpoints import remove_training
from search.storages.registry import open_storage, open_study
from search.study.ownership import (
    alone,
    check_directory,
    fetch_config,
    forget,
    stored_study,
    take_over,
    undone_if_refused,
)
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import read_study

CONFIG: dict[str, Any] = {
    "study": "s",
    "created": "2026-01-01",
    "arguments": {},
    "data": {"source": "demo", "fingerprint": "0", "counts": {"train": [1], "val": [1], "test": [1]}},
}


def a_study(runs: Path) -> RunDirectory:
    """A study's directory with a file of ours, and one of a user's, in every folder."""
    run = RunDirectory.of(runs, "s")
    run.create()
    run.config.write_text(json.dumps(CONFIG))
    open_study(open_storage(storage_url(run, None)), "s").study.set_user_attr("config", CONFIG)
    for folder in (run.trial(0), run.retraining(0, 0), run.path / "ensemble" / "0001"):
        folder.mkdir(parents=True)
        for name in ("training.json", "history.csv", "epoch-0001.weights.h5", "best.weights.h5"):
            (folder / name).write_text("ours")
    for folder in (run.path / "best", run.path / "export", run.path / "report-png"):
        own = OwnFolder(folder)
        with own.filling() as work:
            (work / "model.keras").write_text("ours")
            own.put(work, ["model.keras"])
    OwnFolder(run.path).write("report.html", b"ours")
    for name in ("workers/0.log", "keras_tuner/oracle.json", "keras_tuner/trial_0/trial.json"):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("ours")
    run.retraining_plan.write_text("ours")
    return run


def users_files(run: RunDirectory) -> list[Path]:
    """Put a file of the user's into every folder of the study."""
    folders = [run.path, *(path for path in run.path.rglob("*") if path.is_dir())]
    files = [folder / "notes.txt" for folder in folders] + [
        run.path / "best" / "seed-of-doubt" / "history.csv",
        run.path / "trials" / "mine" / "history.csv",
        run.path / "export" / "model.onnx",
        run.path / "workers" / "mine.log",
    ]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
    return files


def texts(folder: Path) -> set[str]:
    return {
        path.read_text() for path in folder.rglob("*") if path.suffix in (".csv", ".h5", ".keras", ".txt")
    }


def test_a_fresh_start_takes_all_of_ours(tmp_path: Path) -> None:
    run = a_study(tmp_path)
    take_over(run, storage_url(run, None), True, lambda: None)
    assert [path.name for path in run.path.iterdir() if path.suffix != ".lock"] == ["study.db"]
    assert optuna.study.get_all_study_names(open_storage(storage_url(run, None))) == []


def test_a_fresh_start_leaves_what_it_does_not_know(tmp_path: Path) -> None:
    run = a_study(tmp_path)
    files = users_files(run)
    forget(run, open_storage(storage_url(run, None)), storage_url(run, None))
    assert all(file.read_text() == "mine" for file in files)
    assert "ours" not in {
        path.read_text() for path in run.path.rglob("*.*") if path.suffix != ".db" and path.is_file()
    }


@pytest.mark.parametrize("name", ["trials", "best", "export", "ensemble", "keras_tuner", "workers"])
def test_a_directory_without_a_study_that_holds_our_names_is_refused(name: str, tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path, "photos")
    (run.path / name).mkdir(parents=True)
    with pytest.raises(InputError, match=f"beside {name}.*move them away"):
        check_directory(run)
    (run.path / name).rename(tmp_path / "elsewhere")
    check_directory(run)


def test_a_model_that_a_user_put_into_best_is_not_replaced(tmp_path: Path) -> None:
    run = a_study(tmp_path)
    check_directory(run)
    run.best_model.write_text("better")
    with pytest.raises(InputError, match=r"model\.keras"):
        check_directory(run)


def test_a_training_without_its_record_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("mine")
    remove_training(tmp_path)
    assert texts(tmp_path) == {"mine"}


def minimising(url: str) -> None:
    optuna.create_study(study_name="s", storage=url, direction="minimize")


def foreign(url: str) -> None:
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)


def of_two_objectives(url: str) -> None:
    optuna.create_study(study_name="s", storage=url, directions=["maximize", "minimize"])


def annotated(url: str) -> None:
    optuna.create_study(study_name="s", storage=url, direction="maximize").set_user_attr(
        "config", "mine.yaml"
    )


def configured(url: str) -> None:
    optuna.create_study(study_name="s", storage=url, direction="maximize").set_user_attr("config", {"lr": 1})


OTHER_PROGRAMS = [minimising, foreign, of_two_objectives, annotated, configured]


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("make", OTHER_PROGRAMS)
def test_another_programs_study_is_neither_used_nor_deleted(
    make: Callable[[str], None], fresh: bool, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    make(url)
    run = RunDirectory.of(tmp_path / "runs", "s")
    with pytest.raises(InputError, match="another program's; choose another --study"):
        take_over(run, url, fresh, lambda: None)
    assert optuna.study.get_all_study_names(url) == ["s"] and not run.path.exists()


def test_a_study_that_was_begun_elsewhere_is_continued_but_not_deleted(tmp_path: Path) -> None:
    url = storage_url(a_study(tmp_path / "there"), None)
    run = RunDirectory.of(tmp_path / "here", "s")
    with pytest.raises(InputError, match="not begun in"):
        take_over(run, url, True, lambda: None)

    def refuse() -> None:
        raise InputError("other arguments")

    with pytest.raises(InputError, match="other arguments"):
        take_over(run, url, False, refuse)
    assert not run.config.exists()
    take_over(run, url, False, lambda: None)
    assert run.read_config() == CONFIG


@pytest.mark.parametrize("fresh", [False, True])
def test_of_two_studies_of_one_name_each_keeps_its_own(fresh: bool, tmp_path: Path) -> None:
    url = storage_url(a_study(tmp_path / "there"), None)
    run = a_study(tmp_path / "here")
    run.config.write_text(json.dumps({**CONFIG, "created": "another time"}))
    with pytest.raises(InputError, match="another --study"):
        take_over(run, url, fresh, lambda: None)


def test_a_storage_that_has_lost_the_study_is_told(tmp_path: Path) -> None:
    run = a_study(tmp_path)
    url = f"sqlite:///{tmp_path}/empty.db"
    with pytest.raises(InputError, match="put the storage back"):
        stored_study(run, open_storage(url), url)


def test_an_oracle_of_keras_tuners_runs_in_one_process(tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path, "s")
    with (
        alone(run, "kt-random"),
        pytest.raises(InputError, match="another process runs it"),
        alone(run, "kt-random"),
    ):
        pass
    with alone(run, "kt-random"):
        pass


@pytest.mark.parametrize("use", [fetch_config, read_study])
@pytest.mark.parametrize("make", OTHER_PROGRAMS)
def test_another_programs_study_is_neither_joined_nor_reported(
    make: Callable[[str], None], use: Callable[[RunDirectory, str], object], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    make(url)
    run = RunDirectory.of(tmp_path / "runs", "s")
    with pytest.raises(InputError):
        use(run, url)
    assert not run.path.exists()
    run.create()
    run.config.write_text(json.dumps(CONFIG))
    with pytest.raises(InputError, match="another program's; choose another --study"):
        use(run, url)
    assert run.read_config() == CONFIG


@pytest.mark.parametrize("objective", ["accuracy", "nll_votes"])
@pytest.mark.parametrize("killed_early", [False, True])
def test_a_study_of_any_objective_is_found_again(objective: str, killed_early: bool, tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path, "s")
    run.create()
    run.config.write_text(json.dumps({**CONFIG, "arguments": {"objective": objective}}))
    url = storage_url(run, None)
    direction = "maximize" if OBJECTIVES[objective].direction == "max" else "minimize"
    if killed_early:
        optuna.create_study(study_name="s", storage=url, direction=direction)
    else:
        open_study(open_storage(url), "s", direction=direction)
    take_over(run, url, False, lambda: None)
    assert read_study(run).name == "s"
    take_over(run, url, True, lambda: None)
    assert optuna.study.get_all_study_names(url) == []


def test_a_refused_study_leaves_no_folder_that_was_made_for_it(tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path / "deep" / "runs", "s")
    with pytest.raises(InputError), undone_if_refused(run, storage_url(run, None)):
        run.create()
        raise InputError("refused")
    assert list(tmp_path.iterdir()) == []
