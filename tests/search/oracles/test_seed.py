"""What is drawn depends on the seed of the search, and on nothing else."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from search.oracles import samplers
from search.oracles.registry import ORACLES
from search.storages.registry import memory
from tests.search.conftest import Driver

Drawn = Callable[[str, int], list[dict[str, Any]]]


@pytest.fixture
def drawn(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Oracle, seed -> the values of its first three trials."""
    if importlib.util.find_spec("torch") is None:  # then what the Gaussian process draws before there is one
        monkeypatch.setattr(samplers, "check_installed", lambda sampler: None)
        monkeypatch.setattr(
            optuna.samplers, "GPSampler", lambda *, seed, **_: optuna.samplers.RandomSampler(seed=seed)
        )

    def draw(name: str, seed: int) -> list[dict[str, Any]]:
        driver, directory = Driver(memory()), tmp_path_factory.mktemp("drawn")
        oracle = driver.oracle(name, trials=3, seed=seed, directory=directory)
        return driver.run(oracle, most=3)

    return draw


@pytest.mark.parametrize("name", [name for name in ORACLES if name != "kt-grid"])
def test_other_seeds_draw_other_trials(name: str, drawn: Drawn) -> None:
    assert drawn(name, 1) == drawn(name, 1) != drawn(name, 2)


def test_the_order_of_keras_tuners_grid_is_its_own(drawn: Drawn) -> None:
    assert drawn("kt-grid", 1) == drawn("kt-grid", 2)
