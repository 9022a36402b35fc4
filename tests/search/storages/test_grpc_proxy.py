"""A study behind Optuna's gRPC proxy, which goes away for a while."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ferplus_data.errors import InputError
from search.storages.registry import open_storage, open_study
from search.storages.retrying import StorageLost
from search.storages.trial_life import State, state_of
from search.workers.heartbeat import Watchman
from tests.search import processes as p
from tests.search.processes import EPOCHS, search


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


@pytest.mark.parametrize("server", ["proxy", "postgres"])
def test_a_trial_without_a_heartbeat_is_found_by_the_observers_clock(
    server: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server).url
    worker, observer = (open_study(open_storage(url, grace=1), f"silent-{server}") for _ in range(2))
    alive, dead = (worker.create(State.RUNNING, {}, {}, worker="elsewhere:1:token") for _ in range(2))
    watchman = Watchman(observer)

    def states() -> list[State]:
        assert worker.beat(alive)
        watchman.release_lost()
        return [state_of(trial) for trial in observer.read()]

    begun = time.monotonic()
    p.until(lambda: states() == [State.RUNNING, State.RELEASED], seconds=15, every=0.2)
    assert time.monotonic() - begun > 1
    assert not worker.beat(dead) and not worker.report(dead, 1, 0.5)


@pytest.mark.parametrize("server", ["proxy", "postgres"])
def test_two_that_claim_the_same_waiting_trial(server: str, request: pytest.FixtureRequest) -> None:
    one, other = (
        open_study(open_storage(request.getfixturevalue(server).url), f"claimed-{server}") for _ in range(2)
    )
    one.create(State.QUEUED, {}, {})
    (waiting,) = other.read()
    assert one.claim(waiting, "one") is not None and other.claim(waiting, "other") is None


@pytest.mark.parametrize("away", ["proxy", "postgres"])
def test_a_proxy_that_stays_away_is_named(away: str, proxy: Any, request: pytest.FixtureRequest) -> None:
    """Or the database behind it."""
    storage, server = open_storage(proxy.url), request.getfixturevalue(away)
    store = open_study(storage, f"away-{away}")
    claim = store.create(State.RUNNING, {}, {}, worker="one")
    server.stop()
    storage.retry_seconds = 1
    with pytest.raises(StorageLost, match="nothing that was finished is lost"):
        store.report(claim, 1, 0.5)
    server.start()
    storage.retry_seconds = 60
    assert store.report(claim, 1, 0.5)
    assert store.read()[0].intermediate_values == {1: 0.5}


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
