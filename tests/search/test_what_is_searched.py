"""What a search is made from, by its arguments: the rows, recipes and settings of its trials, and the time it has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ferplus_data.dataset import Dataset
from models.recipe import Recipe
from search import launch
from search.callbacks import Callbacks
from search.console.progress import Progress
from search.setup import prepare, trial_settings
from search.study.arguments import SearchArguments
from search.study.config import write_config
from search.study.run_directory import RunDirectory
from search.study.view import read_study
from search.workers import trial_runner
from tests.search import simulated

NOBODY: Any = SimpleNamespace(say=lambda line: None, stands=lambda *of: None, callbacks=Callbacks())


def prepared(**given: Any) -> Any:
    return prepare(SearchArguments(data="demo", space="small", **given), NOBODY)


@pytest.mark.parametrize("fraction", [0.25, 1.0])
def test_trials_train_on_a_part_of_the_training_rows_without_copies(fraction: float) -> None:
    made = prepared(search_fraction=fraction)
    whole, part = made.dataset.train_without_copies, made.train_split
    assert len(whole) < len(made.dataset.train)
    assert len(part) == pytest.approx(fraction * len(whole), abs=8)  # a row a class, at most
    assert set(part.rows.tolist()) <= set(whole.rows.tolist())
    assert not set(part.rows.tolist()) & {*made.dataset.val.rows.tolist(), *made.dataset.test.rows.tolist()}


def test_copies_are_left_out_of_the_retraining_where_asked() -> None:
    kept, all_rows = prepared(dedupe=True).dataset, prepared().dataset
    assert len(kept.train) < len(all_rows.train)
    assert len(kept.val) == len(all_rows.val) and len(kept.test) == len(all_rows.test)


def test_a_part_of_every_split_is_left_where_asked() -> None:
    part, whole = prepared(subset=0.5).dataset, prepared().dataset
    for split in ("train", "val", "test"):
        assert len(getattr(part, split)) == pytest.approx(0.5 * len(getattr(whole, split)), abs=8)


def test_trials_are_run_as_the_arguments_say(tmp_path: Path) -> None:
    given: dict[str, Any] = {"search_fraction": 0.25, "epochs": 7, "trial_timeout": "1h", "stop_after": 5}
    given |= {"cache_gb": 2.0, "cache_views": 3, "artifacts": str(tmp_path / "shared"), "seed": 9}
    made, arguments = prepared(**given), SearchArguments(data="demo", space="small", **given)
    run = RunDirectory(tmp_path / "faces")
    run.create()
    write_config(run, arguments, made.dataset, made.space)
    settings = trial_settings(arguments, made, run, NOBODY)
    assert settings.dataset is made.dataset and settings.epochs == 7 and settings.timeout == 3600
    assert settings.limits.stop_after == 5 and settings.checkpoint_store is not None
    assert settings.caching is not None
    assert (settings.caching.views, settings.caching.cache.max_bytes) == (3, 2 * 10**9)
    training = settings.training("resnet50")
    assert training.train_split is made.train_split
    assert (training.weights, training.seed) == ("vggface2", 9)


def test_a_trial_trains_what_was_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(recipe: Recipe, dataset: Dataset, **given: Any) -> None:
        asked.append((recipe, given["settings"].train_split.rows, given["epochs"]))
        simulated.train(recipe, dataset, **given)

    monkeypatch.setenv("SIMULATED_EPOCH", "0")
    monkeypatch.setattr(trial_runner, "train", note)
    monkeypatch.setattr(launch, "retrain_best", lambda *_, **__: {})
    run = RunDirectory(tmp_path / "faces")
    arguments = SearchArguments(
        data="demo", space="small", trials=4, epochs=2, oracle="random", pruner="none", cache_gb=0
    )
    with Progress(Console(quiet=True)) as progress:
        launch.search(arguments, run, storage=None, fresh=False, progress=progress)
    trials = read_study(run).trials
    assert [one for one, _, _ in asked] == [Recipe.from_hyperparameters(t.hyperparameters) for t in trials]
    rows = prepare(arguments, NOBODY).train_split.rows
    assert all(np.array_equal(found, rows) and epochs == 2 for _, found, epochs in asked)


@pytest.mark.parametrize(("timeout", "most"), [("1h", 3600.0), (None, float("inf"))])
def test_the_time_is_for_search_and_retraining_together(
    timeout: str | None, most: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []

    def note(launched: launch.Launch, *_: Any, **__: Any) -> Any:
        left.append(launched.time_budget.left())
        return {}

    monkeypatch.setattr(launch, "run_trials", note)
    monkeypatch.setattr(launch, "retrain_best", note)
    arguments = SearchArguments(data="demo", space="small", timeout=timeout)
    launch.search(arguments, RunDirectory(tmp_path / "faces"), storage=None, fresh=False, progress=NOBODY)
    assert len(left) == 2 and most >= left[0] >= left[1]
    assert left[1] >= min(most, 1e9) - 300


@pytest.mark.parametrize(("since", "left"), [(3000, 600), (4000, 0)])
def test_who_joins_has_what_is_left_of_the_time(
    since: int, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, found = [1e9], []

    def note(launched: launch.Launch, *_: Any, **__: Any) -> Any:
        found.append(launched.time_budget.left())
        return {}

    monkeypatch.setattr(launch, "time", SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr(launch, "run_trials", note)
    monkeypatch.setattr(launch, "retrain_best", note)
    run = RunDirectory(tmp_path / "faces")
    arguments = SearchArguments(data="demo", space="small", timeout="1h")
    launch.search(arguments, run, storage=None, fresh=False, progress=NOBODY)
    now[0] += since
    launch.join(run, storage=None, data=None, workers=1, progress=NOBODY)
    assert found[-1] == pytest.approx(left, abs=60) and found[-1] <= left + 1
