"""A study behind Optuna's gRPC proxy, which goes away for a while."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ferplus_data.errors import InputError
from search.storages.attempts import lineages
from search.storages.registry import open_storage, open_study
from search.storages.retrying import StorageLost
from search.workers.heartbeat import claim, hand_back_orphans
from tests.search import processes as p
from tests.search.processes import EPOCHS, search

# Processes are started, killed and waited for, on a machine that may be busy: what fails twice is broken.
pytestmark = pytest.mark.flaky(reruns=1)


def test_a_worker_is_killed_and_the_proxy_is_away_for_a_while(tmp_path: Path, proxy: Any) -> None:
    """Of three workers: nothing is lost, and no other trial is taken for that of a dead one."""
    run = tmp_path / "proxied"
    environment = {"SIMULATED_EPOCH": "0.4", "FERPLUS_STORAGE": proxy.url}
    process = p.start(p.SIMULATED, *search(run, 9, "--workers", "3", "--grace", "8s"), **environment)
    p.until(lambda: list(run.glob("workers/*.log")))
    killed = p.until(p.in_mid_trial(proxy.url, run.name, EPOCHS))
    p.sigkill(p.pid_of(killed))
    p.until(p.in_mid_trial(proxy.url, run.name, EPOCHS, after=1))
    proxy.stop()
    time.sleep(5)
    proxy.start()
    output = p.end(process)
    assert "9 of 9 trials are done" in output and "replaced" in output
    workers_of = p.assert_nothing_lost_or_repeated(run, proxy.url, trials=9, epochs=EPOCHS)
    assert len(workers_of[killed.number]) > 1
    deaths = [t.user_attrs.get("deaths", 0) for t in p.trials_of(proxy.url, run.name).values()]
    assert sum(deaths) == 1, "a live worker was taken for dead"


def test_a_trial_that_is_not_beaten_for_is_found_by_the_observers_clock(proxy: Any) -> None:
    worker, observer = (open_study(open_storage(proxy.url, grace=1), "silent") for _ in range(2))
    alive, dead, unclaimed = (worker.ask() for _ in range(3))
    for trial in (alive, dead):
        claim(worker, trial)
        trial.set_user_attr("worker", "elsewhere:1:token")

    def states() -> list[TrialState]:
        worker._storage.record_heartbeat(alive._trial_id)  # type: ignore[attr-defined]
        hand_back_orphans(observer)
        return [trial.state for _, trial in lineages(observer)]

    begun = time.monotonic()
    expected = [TrialState.RUNNING, TrialState.WAITING, TrialState.WAITING]
    p.until(lambda: states() == expected, seconds=15, every=0.2)
    assert time.monotonic() - begun > 1
    worker._storage.record_heartbeat(dead._trial_id)  # type: ignore[attr-defined]  # too late, and no error
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        dead.report(0.5, 1)


def test_two_that_pop_the_same_waiting_trial(proxy: Any) -> None:
    one, other = (open_study(open_storage(proxy.url), "popped") for _ in range(2))
    one.enqueue_trial({"x": 0.5})
    (waiting,) = other.get_trials()
    took = [
        study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING) for study in (one, other)
    ]
    assert took == [True, False]


@pytest.mark.parametrize("away", ["proxy", "postgres"])
def test_a_proxy_that_stays_away_is_named(away: str, proxy: Any, request: pytest.FixtureRequest) -> None:
    """Or the database behind it."""
    storage, server = open_storage(proxy.url), request.getfixturevalue(away)
    trial = open_study(storage, f"away-{away}").ask()
    server.stop()
    storage.backend.patience = 1
    with pytest.raises(StorageLost, match="nothing that was finished is lost"):
        trial.report(0.5, 1)
    server.start()
    storage.backend.patience = 60
    trial.report(0.5, 1)
    assert storage.get_trial(trial._trial_id).intermediate_values == {1: 0.5}


def test_what_has_to_be_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, "search.storages.grpc_proxy", raising=False)
    with pytest.raises(InputError, match="expected the packages grpcio and protobuf"):
        open_storage("grpc://127.0.0.1:1")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("grpc://127.0.0.1:1", "expected a database to connect to, found: failed to connect"),
        ("grpc://127.0.0.1", "expected grpc://HOST:PORT"),
        ("grpc://127.0.0.1:port", "expected grpc://HOST:PORT"),
        ("grpc://127.0.0.1:13000/study", "expected grpc://HOST:PORT"),
    ],
)
def test_an_address_without_a_proxy_is_named(url: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        open_storage(url)
