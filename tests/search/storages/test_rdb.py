from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from ferplus_data.errors import InputError
from search.storages.attempts import hand_back, lineages
from search.storages.cached import held
from search.storages.registry import RETRIES, open_storage, open_study
from search.workers.heartbeat import claim, hand_back_orphans, worker_name


def dead_process() -> str:
    program = [sys.executable, "-c", "import os; print(os.getpid())"]
    return subprocess.run(program, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("url", ["nosuch://x", "sqlite:////no/such/folder/study.db", "not a url"])
def test_a_storage_that_cannot_be_had_is_named(url: str) -> None:
    with pytest.raises(InputError, match="storage"):
        open_storage(url)


def test_a_trial_handed_back_keeps_its_number_values_and_epochs(driver: Any) -> None:
    study = driver.attach()
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(0.5, 1)
    hand_back(study, trial._trial_id)
    ((number, waiting),) = lineages(study)
    assert number == trial.number == 0 and waiting.state == TrialState.WAITING
    assert waiting.params == trial.params and waiting.intermediate_values == {1: 0.5}
    again = study.ask()
    assert again.suggest_float("x", 0, 1) == trial.params["x"]
    hand_back(study, trial._trial_id)  # too late: nothing happens
    assert len(lineages(study)) == 1


def test_the_end_of_a_trial_is_the_time_it_was(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        study = driver.attach()
        study.tell(study.ask(), 0.5)
        (trial,) = study.trials
        assert abs((datetime.now() - trial.datetime_complete).total_seconds()) < 60
    time.tzset()


def test_only_trials_of_dead_processes_are_orphans(driver: Any) -> None:
    study = driver.attach()
    mine, orphan, far = study.ask(), study.ask(), study.ask()
    host = worker_name().rsplit(":", 2)[0]
    for trial, worker in (
        (mine, worker_name()),
        (orphan, f"{host}:{dead_process()}:token"),
        (far, "elsewhere:1:token"),
    ):
        trial.set_user_attr("worker", worker)
    hand_back_orphans(study)
    states = {number: trial.state for number, trial in lineages(study)}
    assert states == {0: TrialState.RUNNING, 1: TrialState.WAITING, 2: TrialState.RUNNING}


def test_a_trial_that_kills_its_workers_is_given_up(driver: Any) -> None:
    study = driver.attach()
    host = worker_name().rsplit(":", 2)[0]
    for _ in range(RETRIES + 1):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("worker", f"{host}:{dead_process()}:token")
        hand_back_orphans(study)
    ((number, last),) = lineages(study)
    assert number == 0 and last.state == TrialState.FAIL and last.user_attrs["deaths"] == RETRIES


def test_many_that_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    for round_ in range(3):
        gate, opened = threading.Barrier(6), []

        def work(
            url: str = f"sqlite:///{tmp_path}/{round_}.db",
            gate: threading.Barrier = gate,
            opened: list = opened,
        ) -> None:
            gate.wait()
            opened.append(open_study(open_storage(url), "same").study_name)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert opened == ["same"] * 6


def test_who_hands_out_trials_fetches_only_what_has_changed(tmp_path: Path) -> None:
    """Another process begins three trials and ends the second: a held study shows each as it is, and fetches it once."""
    mine, theirs = (open_study(open_storage(f"sqlite:///{tmp_path}/study.db"), "same") for _ in range(2))
    fetched: list[set[int]] = []
    backend = mine._storage.backend  # type: ignore[attr-defined]
    plain = backend._get_trials
    backend._get_trials = lambda study, states, ids, after: (
        fetched.append(ids) or plain(study, states, ids, after)
    )

    def seen() -> list[tuple]:
        fetched.clear()
        with held(mine):
            return [(t.state, t.params, t.values) for t in mine.get_trials(deepcopy=False)]

    trials = [theirs.ask() for _ in range(3)]
    assert [state for state, *_ in seen()] == [TrialState.RUNNING] * 3
    for trial in trials:
        claim(theirs, trial)
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("hyperparameters", trial.params)
    assert [params for _, params, _ in seen()] == [trial.params for trial in trials]
    trials[0].report(0.1, 1)
    assert seen()[0][0] == TrialState.RUNNING and fetched == []
    theirs.tell(trials[1], 0.5)
    assert [values for *_, values in seen()] == [None, [0.5], None]
    assert fetched == [{trials[1]._trial_id}]
    hand_back(theirs, trials[2]._trial_id)  # fails it and queues it again
    hand_back(theirs, trials[0]._trial_id)
    assert [state for state, *_ in seen()] == [
        TrialState.FAIL, TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING, TrialState.WAITING
    ]  # fmt: skip
    backend._get_trials = plain
    assert mine.get_trials()[0].intermediate_values == {1: 0.1}
