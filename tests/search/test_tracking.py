"""What follows a search elsewhere: a run a trial, its curves, the best model, a message at the end."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ferplus_data.errors import InputError
from search.callbacks import Search, SearchCallback
from search.commands.search import SearchOptions
from search.study.view import TrialRecord
from search.tracking import TRACKERS, packages, trackers

METRICS: dict[str, Any] = {
    "val_accuracy": 0.75,
    "test_accuracy": 0.7,
    "objectives": {"val": {"accuracy": 0.75, "macro_f1": 0.5}, "test": {"accuracy": 0.7, "macro_f1": 0.4}},
    "trial": 3,
    "best_epoch": 5,
    "hyperparameters": {"dropout": 0.2},
}


@pytest.fixture
def search(tmp_path: Path) -> Search:
    model = tmp_path / "runs" / "faces" / "best" / "model.keras"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"a network")
    return Search("faces", tmp_path / "runs" / "faces", {"epochs": 2})


def record(state: str = "running", number: int = 3) -> TrialRecord:
    values = {"dropout": 0.2, "optimizer": "sgd"}
    return TrialRecord(number, state, values, 0.6, {1: 0.6}, None, None, None, None, Path())


def follow(tracker: SearchCallback, search: Search, states: tuple[str, ...], end: bool = True) -> None:
    """Tell of a search with one trial, of which each life has an epoch and ends in one of `states`."""
    tracker.on_search_begin(search)
    for epoch, state in enumerate(states, 1):
        tracker.on_trial_begin(record())
        tracker.on_epoch_end(record(), epoch, {"loss": 1 / epoch, "val_accuracy": 0.1 * epoch})
        tracker.on_trial_end(replace(record(state), error="MemoryError" if state == "failed" else None))
    if end:
        tracker.on_search_end(METRICS, None)


@pytest.fixture
def mlflow_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=str(tmp_path / "mlruns"))


def test_mlflow_has_a_run_a_trial_with_its_curve_and_the_best_model(
    search: Search, tmp_path: Path, mlflow_client: Any
) -> None:
    place = str(tmp_path / "mlruns")
    follow(TRACKERS["mlflow"](place), search, ("resting",), end=False)
    (run,) = runs(mlflow_client)
    assert run.info.status == "SCHEDULED" and run.data.tags["state"] == "resting"
    # Another process goes on with the same trial.
    again = TRACKERS["mlflow"](place)
    again.on_search_begin(search)
    again.on_trial_begin(record())
    again.on_epoch_end(record(), 2, {"loss": 0.5, "val_accuracy": 0.2})
    again.on_trial_end(record("complete"))
    again.on_search_end(METRICS, None)
    (run,) = runs(mlflow_client)
    assert run.info.status == "FINISHED" and run.info.run_name == "trial 3"
    assert run.data.params == {"dropout": "0.2", "optimizer": "sgd"} and run.data.tags["best"] == "true"
    curve = mlflow_client.get_metric_history(run.info.run_id, "val_accuracy")
    assert [(point.step, point.value) for point in curve] == [(1, 0.1), (2, 0.2)]
    assert run.data.metrics["retrained_test_accuracy"] == 0.7
    kept = Path(mlflow_client.download_artifacts(run.info.run_id, "model.keras", str(tmp_path)))
    assert kept.read_bytes() == b"a network"


@pytest.mark.parametrize(("state", "status"), [("failed", "FAILED"), ("pruned", "FINISHED")])
def test_mlflow_says_how_a_trial_ended(
    state: str, status: str, search: Search, tmp_path: Path, mlflow_client: Any
) -> None:
    follow(TRACKERS["mlflow"](str(tmp_path / "mlruns")), search, (state,), end=False)
    (run,) = runs(mlflow_client)
    assert run.info.status == status and run.data.tags["state"] == state
    assert run.data.tags.get("error") == ("MemoryError" if state == "failed" else None)


def test_mlflow_says_that_a_search_was_interrupted(
    search: Search, tmp_path: Path, mlflow_client: Any
) -> None:
    tracker = TRACKERS["mlflow"](str(tmp_path / "mlruns"))
    tracker.on_search_begin(search)
    tracker.on_trial_begin(record())
    tracker.on_search_end(None, KeyboardInterrupt())
    assert [run.info.status for run in runs(mlflow_client)] == ["KILLED"]


def runs(client: Any) -> list[Any]:
    return client.search_runs([client.get_experiment_by_name("faces").experiment_id])


def events_in(run: Path) -> tuple[dict[str, list[tuple[int, float]]], bytes]:
    """What TensorBoard reads of a run: name -> (step, value) of its points, and its hyperparameters as they are stored."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(run))
    events.Reload()
    tags = events.Tags()["tensors"]
    (hyperparameters,) = [tag for tag in tags if "hparams" in tag]
    curves = {
        tag: [(e.step, pytest.approx(make_ndarray(e.tensor_proto).item())) for e in events.Tensors(tag)]
        for tag in tags
        if tag != hyperparameters
    }
    return curves, events.SummaryMetadata(hyperparameters).plugin_data.content


def test_tensorboard_has_the_curves_and_the_hyperparameters(search: Search, tmp_path: Path) -> None:
    follow(TRACKERS["tensorboard"](str(tmp_path / "events")), search, ("resting", "complete"))
    curves, hyperparameters = events_in(tmp_path / "events" / "faces" / "trial-0003")
    assert curves["val_accuracy"] == [(1, 0.1), (2, 0.2)]
    assert b"dropout" in hyperparameters and b"sgd" in hyperparameters


@pytest.mark.parametrize("looked_at", [True, False])
def test_tensorboard_has_the_retrained_models_figures(
    looked_at: bool, search: Search, tmp_path: Path
) -> None:
    metrics: dict[str, Any] = METRICS
    expected = {"val_accuracy": 0.75, "val_macro_f1": 0.5}
    if looked_at:
        expected |= {"test_accuracy": 0.7, "test_macro_f1": 0.4}
    else:
        metrics = {**METRICS, "test_accuracy": None, "objectives": {"val": METRICS["objectives"]["val"]}}
    tracker = TRACKERS["tensorboard"](str(tmp_path / "events"))
    tracker.on_search_begin(search)
    tracker.on_search_end(metrics, None)
    curves, hyperparameters = events_in(tmp_path / "events" / "faces" / "best")
    assert (
        curves == {name: [(5, value)] for name, value in expected.items()} and b"dropout" in hyperparameters
    )


def test_tensorboard_has_no_best_model_of_a_search_that_ended_early(search: Search, tmp_path: Path) -> None:
    tracker = TRACKERS["tensorboard"](str(tmp_path / "events"))
    tracker.on_search_begin(search)
    tracker.on_trial_begin(record())
    tracker.on_search_end(None, KeyboardInterrupt())
    assert [run.name for run in (tmp_path / "events" / "faces").iterdir()] == ["trial-0003"]


def test_wandb_has_a_run_a_trial_that_others_resume(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in with the calls of wandb that are used: the package has no place that a test could record in."""
    began: list[dict[str, Any]] = []
    told: list[Any] = []

    def init(**options: Any) -> Any:
        began.append(options)
        return SimpleNamespace(
            summary={},
            log=lambda logs, step: told.append((step, logs["val_accuracy"])),
            finish=lambda exit_code=0: told.append(("finished", exit_code)),
            log_artifact=lambda path, name, type: told.append((Path(path).read_bytes(), name, type)),
        )

    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    follow(TRACKERS["wandb"]("expressions"), search, ("failed",))
    assert [(run["project"], run["group"], run["name"]) for run in began] == [
        ("expressions", "faces", "trial 3"),
        ("expressions", "faces", "best"),
    ]
    assert began[0]["config"] == {"dropout": 0.2, "optimizer": "sgd"} and began[0]["resume"] == "allow"
    assert told == [(1, 0.1), ("finished", 1), (b"a network", "faces-best", "model"), ("finished", 0)]


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", received
    server.shutdown()


@pytest.mark.parametrize(
    ("metrics", "error", "text"),
    [
        (METRICS, None, "study faces is done: val_accuracy 0.7500, test_accuracy 0.7000"),
        ({"val_accuracy": 0.5, "test_accuracy": None}, None, "study faces is done: val_accuracy 0.5000"),
        (None, KeyboardInterrupt(), "study faces ended early: KeyboardInterrupt"),
        (None, ValueError("no disk"), "study faces ended early: ValueError: no disk"),
    ],
)
def test_a_hook_is_told_of_the_end(
    metrics: Any, error: Any, text: str, hook: tuple[str, list[Any]], search: Search
) -> None:
    url, received = hook
    tracker = TRACKERS["notify"](url)
    tracker.on_search_begin(search)
    tracker.on_search_end(metrics, error)
    assert received == [{"text": text}]


def test_a_tracker_that_is_not_reached_does_not_end_a_search(
    search: Search, caplog: pytest.LogCaptureFixture
) -> None:
    (tracker,) = trackers({"notify": "http://127.0.0.1:9/secret", "mlflow": None})
    follow(tracker, search, ("complete",))
    follow(tracker, search, ("complete",))
    (warning,) = caplog.messages
    assert warning.startswith("--notify: not recorded: ") and "refused" in warning


def test_what_is_asked_for_and_cannot_be_had_is_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    for name in ("tensorboard", "mlflow", "wandb"):
        with pytest.raises(InputError, match=f"--{name}: expected the package {name}.*pip install"):
            _ = SearchOptions(**{name: "x"}).trackers
    with pytest.raises(InputError, match="--notify: expected a URL"):
        _ = SearchOptions(notify="my-phone").trackers
    monkeypatch.setenv("FERPLUS_NOTIFY", "https://host/hook")
    assert len(SearchOptions().trackers) == 1
