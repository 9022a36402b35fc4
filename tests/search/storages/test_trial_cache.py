from __future__ import annotations

import math
import random
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from search.storages.registry import open_storage, open_study
from search.storages.trial_life import State, state_of
from search.storages.trial_store import Claim, TrialStore

DISTRIBUTIONS = {
    "optimizer": CategoricalDistribution(["adamw", "sgd"]),
    "learning_rate": FloatDistribution(1e-4, 1, log=True),
}
ENDS = (State.RESTING, State.RELEASED, State.PRUNED, State.COMPLETE, State.FAILED)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/study.db"


def begin(store: TrialStore, rate: float = 0.1) -> Claim:
    values = {"optimizer": "sgd", "learning_rate": rate}
    return store.create(State.RUNNING, values, DISTRIBUTIONS, worker="one")


def test_every_step_of_every_trial_is_read_as_optuna_reads_it(url: str) -> None:
    """Two processes take turns at 200 random steps; each knows what either did."""
    stores = [open_study(open_storage(url), "s") for _ in range(2)]
    open_study(open_storage(url), "another").create(State.QUEUED, {}, {})
    optunas = optuna.storages.RDBStorage(url)
    study_id = optunas.get_study_id_from_name("s")
    generator, running, steps = random.Random(0), [], 0
    states: set[State] = set()
    for turn in range(200):
        store = generator.choice(stores)
        waiting = [trial for trial in store.read() if trial.state == TrialState.WAITING]
        choice = generator.random()
        if choice < 0.2:
            running.append(begin(store, generator.uniform(0.001, 0.9)))
        elif choice < 0.25:
            store.create(State.QUEUED, {}, {}, system_attributes={"fixed_params": {"optimizer": "sgd"}})
        elif choice < 0.4 and waiting:
            claim = store.claim(generator.choice(waiting), "two")
            assert claim is not None
            store.complete_parameters(claim, {"optimizer": "adamw"}, DISTRIBUTIONS)
            running.append(claim)
        elif choice < 0.8 and running:
            steps += 1
            value = generator.choice([0.5, math.inf, -math.inf, generator.random()])
            assert store.report(generator.choice(running), steps, value)
        elif running:
            state = generator.choice(ENDS)
            ended = running.pop(generator.randrange(len(running)))
            score = generator.choice([0.25, math.inf]) if state == State.COMPLETE else None
            assert store.leave(ended, state, value=score, attributes={"turn": turn})
        found = generator.choice(stores).read()
        assert found == optunas.get_all_trials(study_id)
        states |= {state_of(trial) for trial in found}
    assert states == {*ENDS, State.RUNNING, State.QUEUED}


def test_what_rests_is_read_again_once_it_has_gone_on(url: str) -> None:
    ours, theirs = (open_study(open_storage(url), "s") for _ in range(2))
    claim = begin(theirs)
    theirs.report(claim, 1, 0.5)
    theirs.leave(claim, State.RESTING)
    (before,) = ours.read()
    assert before.intermediate_values == {1: 0.5}
    # Between two of our looks it has gone on and rests again, at the next rung.
    again = theirs.claim(before, "one")
    assert again is not None
    theirs.report(again, 2, 0.75)
    theirs.leave(again, State.RESTING)
    assert ours.read()[0].intermediate_values == {1: 0.5, 2: 0.75}


def test_what_rests_is_not_read_again(url: str) -> None:
    """As the class says: what another program writes at it is seen when it goes on."""
    ours, theirs = (open_study(open_storage(url), "s") for _ in range(2))
    claim = begin(theirs)
    theirs.leave(claim, State.RESTING)
    (resting,) = ours.read()
    other_program = optuna.storages.RDBStorage(url)
    study_id = other_program.get_study_id_from_name("s")
    trial_id = other_program.get_trial_id_from_study_id_trial_number(study_id, 0)
    other_program.set_trial_user_attr(trial_id, "note", "good")
    assert ours.read()[0] is resting
    assert theirs.claim(resting, "one") is not None
    assert ours.read()[0].user_attrs["note"] == "good"


def test_a_value_that_is_no_number_is_read(url: str) -> None:
    store = open_study(open_storage(url), "s")
    store.report(begin(store), 1, math.nan)
    assert math.isnan(store.read()[0].intermediate_values[1])


def test_a_study_whose_id_is_given_to_another_is_forgotten(url: str) -> None:
    storage = open_storage(url)
    begin(open_study(storage, "s"))
    study_id = storage.get_study_id_from_name("s")
    assert len(storage.get_all_trials(study_id)) == 1
    storage.delete_study(study_id)
    with pytest.raises(KeyError):
        storage.get_all_trials(study_id)
    assert open_study(storage, "t").read() == []
    assert storage.get_study_id_from_name("t") == study_id
