from __future__ import annotations

import copy
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from ferplus_data.errors import InputError
from search.storages import MAX_DEATHS
from search.storages.registry import open_storage, open_study
from search.storages.trial_life import State, state_of
from search.workers.heartbeat import ThisProcess, Watchman


def dead_process() -> str:
    program = [sys.executable, "-c", "import os; print(os.getpid())"]
    return subprocess.run(program, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("url", ["nosuch://x", "sqlite:////no/such/folder/study.db", "not a url"])
def test_a_storage_that_cannot_be_had_is_named(url: str) -> None:
    with pytest.raises(InputError, match="storage"):
        open_storage(url)


@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL])
def test_a_trial_is_stored_as_optuna_stores_it(state: TrialState, tmp_path: Path) -> None:
    now = datetime(2026, 11, 28, 12, 30, 15, 250_000)
    template = optuna.trial.FrozenTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=None,
        datetime_start=None if state == TrialState.WAITING else now,
        datetime_complete=now if state == TrialState.FAIL else None,
        params={"x": 0.25, "layers": 3, "optimizer": "sgd", "idle": None},
        distributions={
            "x": FloatDistribution(1e-3, 1, log=True),
            "layers": optuna.distributions.IntDistribution(1, 9),
            "optimizer": CategoricalDistribution(["adam", "sgd"]),
            "idle": CategoricalDistribution([None, 1]),
        },
        user_attrs={"worker": "one", "nested": {"é": [1, None]}},
        system_attrs={"fixed_params": {"x": 0.25}},
        intermediate_values={},
    )
    found = []
    for storage in (
        open_storage(f"sqlite:///{tmp_path}/ours.db"),
        optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/optuna.db"),
    ):
        study = optuna.create_study(storage=storage)
        study_id = storage.get_study_id_from_name(study.study_name)
        ids = [storage.create_new_trial(study_id, template) for _ in range(2)]
        found.append(([storage.get_trial(one) for one in ids], study.get_trials()))
        with pytest.raises(ValueError, match="CategoricalDistribution"):
            other = {**template.distributions, "optimizer": CategoricalDistribution(["adam", "adamw"])}
            template_of_another = copy.copy(template)
            template_of_another.params = {**template.params, "optimizer": "adamw"}
            template_of_another.distributions = other
            storage.create_new_trial(study_id, template_of_another)
    assert found[0] == found[1]
    assert [trial.number for trial in found[0][0]] == [0, 1]


def test_who_had_a_trial_from_when_to_when_is_kept(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = driver.store()
    before = time.time()
    claim = store.create(State.RUNNING, {}, {}, worker="one")
    (row,) = store.read()
    begun = row.user_attrs["attempt 1"]
    assert before <= begun["began"] <= time.time() and (begun["worker"], begun["ended"]) == ("one", None)
    monkeypatch.setattr(time, "time", lambda: begun["began"] + 10)
    assert store.leave(claim, State.RESTING)
    monkeypatch.setattr(time, "time", lambda: begun["began"] + 100)
    second = store.claim(store.read()[0], "two")
    monkeypatch.setattr(time, "time", lambda: begun["began"] + 130)
    assert store.beat(second)
    monkeypatch.setattr(time, "time", lambda: begun["began"] + 500)
    assert store.release_lost(store.read()[0])
    (row,) = store.read()
    lasted = [
        (one["worker"], round(one["began"] - begun["began"]), round(one["ended"] - begun["began"]))
        for one in (row.user_attrs["attempt 1"], row.user_attrs["attempt 2"])
    ]
    assert lasted == [("one", 0, 10), ("two", 100, 130)]  # the second until its last sign of life


def test_trials_that_threads_begin_at_once_have_numbers_of_their_own(driver: Any) -> None:
    store = driver.store()
    with ThreadPoolExecutor(8) as pool:
        claims = [*pool.map(lambda _: store.create(State.RUNNING, {}, {}, worker="one"), range(40))]
    assert sorted(claim.number for claim in claims) == [*range(40)]
    assert [trial.number for trial in store.read()] == [*range(40)]


def test_a_released_trial_keeps_its_row_values_and_epochs(driver: Any) -> None:
    store = driver.store()
    claim = store.create(State.RUNNING, {"x": 0.5}, {"x": FloatDistribution(0, 1)}, worker="one")
    assert store.report(claim, 1, 0.5)
    assert store.leave(claim, State.RELEASED)
    (waiting,) = store.read()
    assert state_of(waiting) == State.RELEASED and waiting.user_attrs["worker"] is None
    again = store.claim(waiting, "two")
    (trial,) = store.read()
    assert again is not None and (again.number, again.attempt) == (0, 2)
    assert (
        state_of(trial) == State.RUNNING
        and trial.params == {"x": 0.5}
        and trial.intermediate_values == {1: 0.5}
    )
    assert store.claim(waiting, "three") is None


@pytest.mark.parametrize(
    "late",
    [
        lambda store, claim: store.report(claim, 2, 0.9),
        lambda store, claim: store.report(claim, 2, float("nan")),
        lambda store, claim: store.leave(claim, State.COMPLETE, value=0.9),
        lambda store, claim: store.leave(claim, State.RELEASED),
        lambda store, claim: store.beat(claim),
        lambda store, claim: store.annotate(claim, {"error": "late"}) or False,
    ],
)
@pytest.mark.parametrize("taken", [False, True])
def test_a_worker_that_was_suspended_writes_nothing_to_a_trial_that_it_has_lost(
    late: Any, taken: bool, driver: Any
) -> None:
    store = driver.store()
    claim = store.create(State.RUNNING, {"x": 0.5}, {"x": FloatDistribution(0, 1)}, worker="same name")
    assert store.report(claim, 1, 0.5) and store.release_lost(store.read()[0])
    if taken:
        store.claim(store.read()[0], "same name")
    before = store.read()[0]
    assert not late(store, claim)
    assert store.read()[0] == before


def test_a_transition_that_the_table_has_not_is_refused(driver: Any) -> None:
    store = driver.store()
    claim = store.create(State.RUNNING, {}, {}, worker="one")
    assert store.leave(claim, State.COMPLETE, value=0.5)
    with pytest.raises(ValueError, match="can become running, found it complete"):
        store.claim(store.read()[0], "two")


def test_the_end_of_a_trial_is_the_time_it_was(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        store = driver.store()
        store.leave(store.create(State.RUNNING, {}, {}, worker="one"), State.COMPLETE, value=0.5)
        (trial,) = store.read()
        assert abs((datetime.now() - trial.datetime_complete).total_seconds()) < 60
    time.tzset()


def test_only_trials_of_dead_processes_are_released(driver: Any) -> None:
    store, me = driver.store(), ThisProcess()
    host = me.name.rsplit(":", 2)[0]
    for worker in (me.name, f"{host}:{dead_process()}:token", "elsewhere:1:token"):
        store.create(State.RUNNING, {}, {}, worker=worker)
    assert Watchman(store).release_lost() == 2
    assert [state_of(trial) for trial in store.read()] == [State.RUNNING, State.RELEASED, State.RUNNING]


def test_a_trial_that_kills_its_workers_is_given_up(driver: Any) -> None:
    store, host = driver.store(), ThisProcess().name.rsplit(":", 2)[0]
    store.create(State.QUEUED, {}, {})
    for _ in range(MAX_DEATHS + 1):
        assert not state_of(store.read()[0]).ended
        store.claim(store.read()[0], f"{host}:{dead_process()}:token")
        Watchman(store).release_lost()
    (last,) = store.read()
    assert state_of(last) == State.FAILED and last.user_attrs["deaths"] == MAX_DEATHS + 1
    assert last.user_attrs["error"] == f"its workers died {MAX_DEATHS + 1} times"


def test_many_that_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    for round_ in range(3):
        gate, opened = threading.Barrier(6), []

        def work(
            url: str = f"sqlite:///{tmp_path}/{round_}.db",
            gate: threading.Barrier = gate,
            opened: list = opened,
        ) -> None:
            gate.wait()
            opened.append(open_study(open_storage(url), "same").study.study_name)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert opened == ["same"] * 6


def test_one_process_at_a_time_is_in_the_lock(tmp_path: Path) -> None:
    url, inside, most = f"sqlite:///{tmp_path}/study.db", [0], []

    def work() -> None:
        store = open_study(open_storage(url), "same")
        for _ in range(5):
            with store.lock() as locked, store.lock():
                assert locked
                inside[0] += 1
                most.append(inside[0])
                time.sleep(0.005)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 20


def test_a_study_of_another_program_is_refused_in_one_line(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/study.db")
    for name, direction in (("theirs", "maximize"), ("other way", "minimize")):
        theirs = optuna.create_study(storage=storage, study_name=name, direction=direction)
        theirs.add_trial(optuna.create_trial(value=0.5))
        with pytest.raises(
            InputError, match=rf"found one that another has made \({direction}, 1 trials\)"
        ) as refusal:
            open_study(storage, name)
        assert "\n" not in str(refusal.value) and "made_by" not in theirs.user_attrs


def test_a_study_of_the_version_before_is_not_continued(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/study.db")
    before = optuna.create_study(storage=storage, study_name="before", direction="maximize")
    before.set_user_attr("config", {"version": 1})
    with pytest.raises(InputError, match="begun by an earlier version of this program.*it can be reported"):
        open_study(storage, "before")
