"""What a search is made from, by its arguments: the rows its trials train on, and the time it has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search import launch
from search.setup import prepare
from search.study.config import SearchArguments
from search.study.run_directory import RunDirectory

NOBODY: Any = SimpleNamespace(say=lambda line: None)


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


@pytest.mark.parametrize(("timeout", "most"), [("1h", 3600.0), (None, float("inf"))])
def test_the_time_is_for_search_and_retraining_together(
    timeout: str | None, most: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []

    def note(launched: launch.Launch, *_: Any, **__: Any) -> Any:
        left.append(launched.time_budget.left())
        return "done"

    monkeypatch.setattr(launch, "run_trials", note)
    monkeypatch.setattr(launch, "retrain_best", note)
    arguments = SearchArguments(data="demo", space="small", timeout=timeout)
    launch.search(arguments, RunDirectory(tmp_path / "faces"), storage=None, fresh=False, progress=NOBODY)
    assert len(left) == 2 and most >= left[0] >= left[1]
    assert left[1] >= min(most, 1e9) - 300
