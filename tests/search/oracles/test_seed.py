"""What is drawn depends on the seed of the search, and on nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from search.oracles.registry import OracleSettings, make_oracle
from search.oracles.space.search_space import SpaceModel, declared
from search.storages.registry import memory, open_study
from spaces.space import Space
from tests.search.conftest import toy_space
from tests.search.oracles.test_trial_queue import play


def drawn(name: str, seed: int) -> list[dict[str, Any]]:
    model = SpaceModel(Space(toy_space), {})
    settings = OracleSettings(model, declared(model), [], 3, 3, seed, "none")
    return play(make_oracle(name, settings, open_study(memory(), "toy")))


@pytest.mark.parametrize("name", ["portfolio", "tpe", "random", "grid", "cmaes", "hyperband"])
def test_other_seeds_draw_other_trials(name: str) -> None:
    assert drawn(name, 1) == drawn(name, 1) != drawn(name, 2)
