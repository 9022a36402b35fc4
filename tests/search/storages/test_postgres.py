"""A study on a PostgreSQL server that goes away for a while, with workers that do not share a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import grpc
import optuna
import pytest
import sqlalchemy
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from search.storages.registry import open_storage, open_study
from search.storages.retrying import StorageLost
from search.storages.trial_life import State, state_of
from tests.search import processes as p
from tests.search.processes import EPOCHS, search


def test_the_server_is_away_for_twenty_seconds(tmp_path: Path, postgres: Any) -> None:
    """Three workers, one of them killed before, and the server stopped in mid-search: nothing is lost, and the trials of
    workers that could not beat are not taken for dead. The password is nowhere."""
    run = tmp_path / "outage"
    environment = {"SIMULATED_EPOCH": "0.4", "FERPLUS_STORAGE": postgres.url}
    process = p.start(p.SIMULATED, *search(run, 12, "--workers", "3", "--grace", "8s"), **environment)
    p.until(lambda: list(run.glob("workers/*.log")))
    killed = p.until(p.in_mid_trial(postgres.url, run.name, EPOCHS))
    p.sigkill(p.pid_of(killed))
    p.until(p.in_mid_trial(postgres.url, run.name, EPOCHS, after=2))
    arguments = [Path(f"/proc/{pid}/cmdline").read_text() for pid in _children(process.pid)]
    postgres.stop()
    time.sleep(20)
    postgres.start()
    output = p.end(process)
    assert "12 of 12 trials are done" in output
    workers_of = p.assert_nothing_lost_or_repeated(run, postgres.url, trials=12, epochs=EPOCHS)
    assert len(workers_of[killed.number]) > 1
    deaths = [t.user_attrs.get("deaths", 0) for t in p.trials_of(postgres.url, run.name).values()]
    assert sum(deaths) == 1, "a live worker was taken for dead"
    assert not (run / "study.db").exists()
    files = [path for path in run.rglob("*") if path.is_file()]
    assert arguments and not [text for text in [output, *arguments] if "open-sesame" in text]
    assert len(files) > 12 and not [path for path in files if b"open-sesame" in path.read_bytes()]


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_worker_elsewhere_continues_a_trial_from_the_artifact_store(tmp_path: Path, postgres: Any) -> None:
    """Two machines that share nothing but the server and a store: the first is lost in mid-trial, the second has no folder of
    the study, and goes on after the last epoch."""
    here, there, store = tmp_path / "here" / "far", tmp_path / "there" / "far", tmp_path / "store"
    environment = {"SIMULATED_EPOCH": "0.5", "FERPLUS_STORAGE": postgres.url}
    first = p.start(p.SIMULATED, *search(here, 2, "--artifacts", str(store)), **environment)
    p.until(lambda: (here / "config.json").exists())
    trial = p.until(p.in_mid_trial(postgres.url, "far", EPOCHS))
    p.sigkill(first.pid)
    first.communicate()
    known = max(p.trials_of(postgres.url, "far")[trial.number].intermediate_values)
    p.end(p.start(p.SIMULATED, "worker", "--study", "far", "--runs-dir", str(there.parent), **environment))
    begun, continued = (p.executed(run)[trial.number] for run in (here, there))
    assert [epoch for epoch, _ in continued] == [*range(1, EPOCHS + 1)]
    assert continued[:known] == begun[:known] and {pid for _, pid in continued[known:]} != {first.pid}
    assert {t.state for t in p.trials_of(postgres.url, "far").values()} == {TrialState.COMPLETE}
    assert os.listdir(store)


def test_a_server_that_stays_away_is_named_and_the_study_goes_on_later(postgres: Any) -> None:
    storage = open_storage(postgres.url)
    store = open_study(storage, "away")
    claim = store.create(State.RUNNING, {}, {}, worker="one")
    assert store.report(claim, 1, 0.5)
    postgres.stop()
    storage.retry_seconds = 1.5
    started = time.monotonic()
    with pytest.raises(StorageLost, match="nothing that was finished is lost") as lost:
        store.report(claim, 2, 0.6)
    assert time.monotonic() - started > 1.5 and "open-sesame" not in str(lost.value)
    postgres.start()
    storage.retry_seconds = 60
    assert store.report(claim, 2, 0.6)
    assert store.read()[0].intermediate_values == {1: 0.5, 2: 0.6}


def connection_of_a_database() -> Exception:
    broken = optuna.exceptions.StorageInternalError()
    broken.__cause__ = sqlalchemy.exc.OperationalError("statement", {}, Exception("gone"))
    return broken


def connection_of_a_proxy() -> Exception:
    broken: Any = grpc.RpcError()
    broken.code = lambda: grpc.StatusCode.UNAVAILABLE
    return broken


@pytest.mark.parametrize(
    ("server", "breaking_of"), [("postgres", connection_of_a_database), ("proxy", connection_of_a_proxy)]
)
def test_calls_that_took_effect_before_their_connection_broke_are_not_done_twice(
    server: str, breaking_of: Any, request: pytest.FixtureRequest
) -> None:
    """Each call is made, its connection then breaks, and it is made again."""
    storage = open_storage(request.getfixturevalue(server).url)
    store = open_study(storage, f"twice-{server}")
    broken = breaking_of()
    plain = storage.call

    def twice(function: Any, again: Any = None) -> Any:
        calls = []

        def breaking() -> Any:
            result = (function if not calls else again or function)()
            calls.append(result)
            if len(calls) == 1:
                if isinstance(result, sqlalchemy.Connection):
                    result.close()  # as one that breaks
                raise broken
            return result

        return plain(breaking)

    storage.call = twice  # type: ignore[method-assign]
    queued = store.create(State.QUEUED, {"x": 0.5}, {"x": FloatDistribution(0, 1)})
    claim = store.create(State.RUNNING, {"x": 0.7}, {"x": FloatDistribution(0, 1)}, worker="one")
    assert store.report(claim, 1, 0.7) and store.beat(claim)
    assert store.leave(claim, State.COMPLETE, value=0.7)
    other = open_study(storage, f"deleted-{server}")
    optuna.delete_study(study_name=other.name, storage=storage)
    storage.call = plain  # type: ignore[method-assign]
    assert other.name not in optuna.get_all_study_names(storage)
    assert (queued.number, claim.number) == (0, 1)
    waiting, complete = store.read()
    assert (state_of(waiting), state_of(complete)) == (State.QUEUED, State.COMPLETE)
    assert (
        complete.params == {"x": 0.7}
        and complete.values == [0.7]
        and complete.intermediate_values == {1: 0.7}
    )
