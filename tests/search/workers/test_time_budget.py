from __future__ import annotations

import pytest

from search.workers import time_budget as clock
from search.workers.time_budget import TimeBudget


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [1000.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: time[0])
    return time


def test_the_search_leaves_the_retraining_its_time(now: list[float]) -> None:
    budget = TimeBudget(1000, retrain_epochs=10, retrain_rows=200)
    budget.epoch_took(2, 20, rows=100)  # so 40 s for one of retraining, 46 with the spare
    now[0] += 500
    assert not budget.search_is_over()
    now[0] += 45
    assert budget.search_is_over()
    assert budget.retrain_epochs(10, runs=1) == 9


def test_the_retraining_never_takes_more_than_two_thirds(now: list[float]) -> None:
    budget = TimeBudget(1000, retrain_epochs=1000, retrain_rows=200)
    budget.epoch_took(2, 20, rows=100)
    now[0] += 333
    assert not budget.search_is_over()
    now[0] += 1
    assert budget.search_is_over()
    assert budget.retrain_epochs(1000, runs=2) == 7


def test_without_a_limit_nothing_is_cut(now: list[float]) -> None:
    budget = TimeBudget(None, retrain_epochs=10, retrain_rows=200)
    budget.epoch_took(2, 1e9, rows=1)
    assert not budget.search_is_over() and budget.retrain_epochs(60, runs=3) == 60


def test_there_is_always_an_epoch(now: list[float]) -> None:
    budget = TimeBudget(10, retrain_epochs=10, retrain_rows=200)
    budget.epoch_took(2, 500, rows=100)
    now[0] += 11
    assert budget.search_is_over() and budget.retrain_epochs(10, runs=1) == 1


def test_the_first_epoch_counts_only_while_there_is_no_other(now: list[float]) -> None:
    budget = TimeBudget(1000, retrain_epochs=10, retrain_rows=200, val_rows=300)
    budget.epoch_took(1, 400, rows=100)
    assert budget.retrain_epochs(10, runs=1) == 1
    budget.epoch_took(
        2, 20, rows=100
    )  # 200 rows of work in 20 s; a retraining epoch is 300 of it, with the spare 34.5 s
    budget.epoch_took(1, 400, rows=100)
    now[0] += 1000 - 10 * 34.5 - 1
    assert not budget.search_is_over()
    now[0] += 2
    assert budget.search_is_over() and budget.retrain_epochs(10, runs=1) == 9
