"""What Optuna's tables, figures and dashboard show of a study: the values that the user knows, the trials that status counts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import keras_tuner
import optuna
import pytest

from search.oracles.registry import OracleSettings, make_oracle
from search.oracles.space.search_space import SpaceModel, declared
from search.storages.registry import memory, open_study
from search.storages.trial_life import trials_of
from spaces import SPACES
from spaces.space import Space
from tests.search.oracles.test_trial_queue import play

TRIALS = 16


def mine(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("freeze_before", [0, -51])
    hp.Choice("dropout", [0.1, 0.2])
    hp.Choice("batch_size", [32, 64])
    hp.Choice("optimizer", ["adamw"])


@pytest.fixture(params=["ferplus", "small", "mine"])
def searched(request: pytest.FixtureRequest) -> tuple[Any, list[dict[str, Any]], dict[str, Any]]:
    """A study of the space, the values that its trials were trained with, and the pinned ones."""
    space = SPACES[request.param] if request.param in SPACES else Space(mine)
    pins: dict[str, Any] = {"label_smoothing": 0.1} | ({"dropout": 0.2} if request.param != "mine" else {})
    model = SpaceModel(space, pins)
    store = open_study(memory(), "shown")
    trials = 6 if request.param == "mine" else TRIALS  # of the 8 there are
    settings = OracleSettings(model, declared(model), [], trials, 3, 1, "none")
    return store, play(make_oracle("random", settings, store)), pins


def test_tables_and_figures(searched: tuple[Any, list[dict[str, Any]], dict[str, Any]]) -> None:
    store, played, pins = searched
    table = store.study.trials_dataframe()
    assert len(table) == len(played) == len(trials_of(store.study)) and "value_val_accuracy" in table
    for number, values in enumerate(played):
        for each, value in values.items():
            assert table[f"params_{each}"][number] == value
    for pinned, value in pins.items():
        assert set(table[f"params_{pinned}"]) == {value}
    assert 64 in set(table["params_batch_size"]) and 0.2 in set(table["params_dropout"])
    (name, *_) = (name for name in played[0] if name.startswith("freeze_before"))
    frozen = {int(value) for value in table[f"params_{name}"].dropna()}
    assert frozen == {values[name] for values in played if name in values}
    draw: Callable
    for draw in (optuna.visualization.plot_slice, optuna.visualization.plot_parallel_coordinate):
        drawn = draw(store.study, params=[name, "dropout"]).to_json()
        assert all(str(value) in drawn for value in frozen) and "0.2" in drawn
    assert "batch_size" in optuna.visualization.plot_param_importances(store.study).to_json()


def test_the_dashboard(searched: tuple[Any, list[dict[str, Any]], dict[str, Any]]) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    store, played, pins = searched
    serve = dashboard.wsgi(store.storage)
    asked = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/studies/0",
        "wsgi.input": io.BytesIO(),
        "SERVER_NAME": "x",
    }
    status: list[str] = []
    body = b"".join(serve(asked, lambda code, headers, *_: status.append(code)))
    assert status == ["200 OK"]
    shown = json.loads(body)
    assert shown["objective_names"] == ["val_accuracy"] and len(shown["trials"]) == len(played)
    for trial, values in zip(shown["trials"], played, strict=True):
        params = {one["name"]: one["param_external_value"] for one in trial["params"]}
        assert params == {name: str(value) for name, value in values.items()}
        assert pins.items() <= values.items()
