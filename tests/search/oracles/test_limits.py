"""When a search is over, told from trials that are made up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from optuna.trial import FrozenTrial

from search.oracles.limits import Limits
from search.oracles.registry import OracleSettings
from search.oracles.space.search_space import SpaceModel, declared
from search.storages.trial_life import STATE, State
from spaces import SPACES

BEGAN = datetime(2026, 1, 1)


def trial(number: int, state: State, *values: float, began: int = 0, ended: int | None = None) -> FrozenTrial:
    """A trial that began and ended so many minutes after the search; its value is the last one."""
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state.stored,
        value=values[-1] if state in (State.COMPLETE, State.PRUNED) else None,
        datetime_start=BEGAN + timedelta(minutes=began),
        datetime_complete=None if ended is None else BEGAN + timedelta(minutes=ended),
        params={},
        distributions={},
        user_attrs={STATE: state.value},
        system_attrs={},
        intermediate_values=dict(enumerate(values, start=1)),
    )


FIRST = trial(0, State.COMPLETE, 0.4, 0.6, began=0, ended=10)
PRUNED = trial(1, State.PRUNED, 0.3, began=10, ended=12)
RESTING = trial(2, State.RESTING, 0.5, began=12)
BESIDE = trial(3, State.PRUNED, 0.1, began=9, ended=20)  # began before the best had ended
RUNNING = trial(4, State.RUNNING, 0.5, began=21)
BETTER = trial(5, State.COMPLETE, 0.5, 0.7, began=22, ended=30)
EQUAL = trial(6, State.COMPLETE, 0.5, 0.6, began=22, ended=30)


def test_every_epoch_of_every_trial_is_spent() -> None:
    trials = [FIRST, PRUNED, RESTING, RUNNING]  # 2 + 1 + 1 + 1 epochs
    assert Limits(epochs=2, budget=2.6).reached(trials) is None
    assert Limits(epochs=2, budget=2.5).reached(trials) == (
        "the budget of 2.5 full trainings is spent: 5 epochs in 4 trials"
    )


@pytest.mark.parametrize(
    ("trials", "without_gain"),
    [
        ([], 0),
        ([PRUNED, RESTING, RUNNING], 0),  # nothing to gain on
        ([FIRST, PRUNED, RESTING, BESIDE, RUNNING], 2),
        ([FIRST, PRUNED, RESTING, BESIDE, RUNNING, BETTER], 0),
        ([FIRST, PRUNED, RESTING, BESIDE, RUNNING, EQUAL], 3),
    ],
)
def test_trials_without_a_gain_are_those_begun_since_the_best(
    trials: list[FrozenTrial], without_gain: int
) -> None:
    for allowed in range(1, 5):
        because = Limits(epochs=2, stop_after=allowed).reached(trials)
        assert (because is not None) == (without_gain >= allowed)


@pytest.mark.parametrize(
    ("objective", "reached", "missed"), [("accuracy", [0.55, 0.6], 0.61), ("nll_votes", [0.6, 0.7], 0.59)]
)
def test_a_value_is_reached_in_the_direction_of_the_objective(
    objective: str, reached: list[float], missed: float
) -> None:
    for value in reached:
        because = Limits(epochs=2, objective=objective, stop_at=value).reached([FIRST, PRUNED])
        assert because == f"trial 0 (val_{objective} 0.6000) has reached {value:g}"
    assert Limits(epochs=2, objective=objective, stop_at=missed).reached([FIRST, PRUNED]) is None
    assert Limits(epochs=2, stop_at=0.2).reached([PRUNED, RUNNING]) is None  # none is complete


@pytest.mark.parametrize(
    ("trials", "budget", "epochs", "pruner", "most"),
    [
        (100, None, 9, "promotion", 100),
        (100, 2, 9, "promotion", 8),  # 18 epochs; 1 + 2/3 + 6/9 a trial
        (100, 2, 9, "none", 2),
        (5, 10, 9, "promotion", 5),
        (100, 8, 4, "promotion", 18),  # 32 epochs; 1 + 2/3 + 1/9 a trial
        (100, 3, 1, "promotion", 3),
    ],
)
def test_the_trials_that_a_budget_has_epochs_for(
    trials: int, budget: float | None, epochs: int, pruner: str, most: int
) -> None:
    model = SpaceModel(SPACES["small"], {})
    limits = Limits(epochs=epochs, budget=budget)
    assert (
        OracleSettings(model, declared(model), [], trials, epochs, 0, pruner, limits=limits).most_trials
        == most
    )
