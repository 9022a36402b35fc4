"""Whatever stands as an oracle before the trial runner does all that this one asks of it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from search.oracles.protocol import ClaimingOracle, TrialOracle
from search.oracles.registry import KERAS_TUNER_ORACLES
from search.storages.registry import memory
from search.workers.chief import ChiefClient, ChiefOracle
from tests.search.conftest import Driver


def asked_by(protocol: type) -> dict[str, list[str]]:
    """The methods of `protocol` with their parameters."""
    methods = inspect.getmembers(protocol, inspect.isfunction)
    return {
        name: list(inspect.signature(method).parameters)[1:]
        for name, method in methods
        if not name.startswith("_")
    }


def assert_fulfilled(oracle: Any, protocol: type) -> None:
    assert isinstance(oracle, protocol)
    for name, parameters in asked_by(protocol).items():
        inspect.signature(getattr(oracle, name)).bind(**dict.fromkeys(parameters))


def test_what_is_asked_is_known() -> None:
    assert len(asked_by(TrialOracle)) == 10 and asked_by(TrialOracle)["create_trial"] == ["tuner_id"]
    assert asked_by(ClaimingOracle).keys() - asked_by(TrialOracle) == {"claims", "lose", "save", "reload"}


@pytest.mark.parametrize("name", ["random", *sorted(KERAS_TUNER_ORACLES)])
def test_an_oracle_in_this_process(name: str) -> None:
    assert_fulfilled(Driver(memory()).oracle(name), ClaimingOracle)


def test_a_chiefs_oracle() -> None:
    assert_fulfilled(Driver(memory()).oracle("random", kind=ChiefOracle), ClaimingOracle)


def test_the_client_of_a_chief() -> None:
    """Nothing of it is Keras Tuner's own client, to which it hands on what it does not know."""
    client = ChiefClient(object(), grace=None)
    assert_fulfilled(client, TrialOracle)
    assert not isinstance(client, ClaimingOracle)
