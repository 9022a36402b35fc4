"""What mattered, where the truth is known."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest

from reports.hyperparameters.importance import NOTED, importances, what_mattered
from reports.hyperparameters.surrogate import MIN_TRIALS, ranked
from search.study.view import TrialRecord

FREEZE, SMOOTHING = [0, -12, -25, -41, -51], [0.0, 0.05, 0.1]
SPACE = [
    {"name": "learning_rate", "kind": "float", "low": 1e-5, "high": 1e-2, "scale": "log"},
    {"name": "freeze_before", "kind": "choice", "values": FREEZE, "ordered": True},
    {"name": "dropout", "kind": "float", "low": 0.0, "high": 0.6, "scale": "linear"},
    {"name": "label_smoothing", "kind": "choice", "values": SMOOTHING, "ordered": True},
]
EPOCHS = 27


def final(values):
    """The learning rate is worth 30 points, the freeze index 6, dropout 2, label smoothing nothing."""
    off = abs((math.log10(values["learning_rate"]) + 5) / 3 - 0.6) / 0.6
    return (
        0.85
        - 0.30 * min(1, off)
        - 0.06 * FREEZE.index(values["freeze_before"]) / 4
        - 0.02 * values["dropout"] / 0.6
    )


def searched(trials, seed, sampler, pruner):
    """A view of a study of made-up curves; high dropout learns more slowly, as it does."""
    noise = random.Random(seed)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    optuna.logging.set_verbosity(verbosity)
    records = []
    for number in range(trials):
        trial = study.ask()
        values = {
            "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
            "freeze_before": trial.suggest_categorical("freeze_before", FREEZE),
            "dropout": trial.suggest_float("dropout", 0.0, 0.6),
            "label_smoothing": trial.suggest_categorical("label_smoothing", SMOOTHING),
        }
        top, curve, state = final(values) + noise.gauss(0, 0.005), {}, "complete"
        for epoch in range(1, EPOCHS + 1):
            curve[epoch] = top - 0.35 * math.exp(-epoch / (2 + 2 * values["dropout"])) + noise.gauss(0, 0.003)
            trial.report(curve[epoch], epoch)
            if trial.should_prune():
                state = "pruned"
                break
        pruned = optuna.trial.TrialState.PRUNED
        study.tell(
            trial, None if state == "pruned" else max(curve.values()), pruned if state == "pruned" else None
        )
        records.append(
            TrialRecord(
                number, state, values, max(curve.values()), curve, None, None, None, None, Path("none")
            )
        )
    return SimpleNamespace(trials=records, config={"space": SPACE})


def by_name(view):
    return {one.name: one for one in importances(view)}


@pytest.fixture(scope="module")
def truth():
    """Shares of the unpruned study: final scores of random configurations."""
    return by_name(searched(150, 9, optuna.samplers.RandomSampler(seed=9), optuna.pruners.NopPruner()))


@pytest.mark.parametrize("seed", [1, 3])
def test_shares_of_a_pruned_search_are_those_of_the_unpruned_one(seed, truth):
    sampler = optuna.samplers.TPESampler(seed=seed)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=3, reduction_factor=3)
    view = searched(150, seed, sampler, pruner)
    assert sum(trial.state == "pruned" for trial in view.trials) > 75
    found = by_name(view)
    assert truth["learning_rate"].share > 0.85 and truth["label_smoothing"].share < 0.02
    for name, one in found.items():
        assert one.share == pytest.approx(truth[name].share, abs=0.1), name
        assert 0 <= one.low <= one.share <= one.high <= 1
    assert sum(one.share for one in found.values()) == pytest.approx(1)
    assert what_mattered(view).startswith("Learning rate mattered most: it explains")
    assert "150 trials, stopped ones included" in what_mattered(view)


def noise_only(count, seed=0):
    rng = random.Random(seed)
    trials = [
        TrialRecord(
            number,
            "complete",
            {"dropout": rng.random() * 0.6, "freeze_before": rng.choice(FREEZE)},
            rng.random(),
            {1: 0.5},
            None,
            None,
            None,
            None,
            Path("none"),
        )
        for number in range(count)
    ]
    return SimpleNamespace(trials=trials, config={})


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_said_where_there_is_nothing_to_say(seed):
    view = noise_only(40, seed)
    assert importances(view) == [] and what_mattered(view) is None


def test_too_few_trials_or_equal_scores_say_nothing():
    view = noise_only(40)
    for trial in view.trials:
        object.__setattr__(trial, "score", trial.hyperparameters["dropout"])
    assert by_name(view)["dropout"].low > NOTED
    few = SimpleNamespace(trials=view.trials[: MIN_TRIALS - 1], config={})
    assert importances(few) == []
    for trial in few.trials:
        object.__setattr__(trial, "score", 0.5)
    assert importances(SimpleNamespace(trials=few.trials * 3, config={})) == []


def test_stopped_trials_rank_below_those_that_got_further():
    def trial(state, values):
        return TrialRecord(
            0, state, {}, max(values), dict(enumerate(values, 1)), None, None, None, None, Path("none")
        )

    trials = [
        trial("pruned", [0.9]),
        trial("complete", [0.2, 0.5]),  # ended by its patience
        trial("pruned", [0.1, 0.3, 0.4]),
        trial("pruned", [0.8]),
    ]
    assert ranked(trials).tolist() == [0.5, 0.9, 0.8, 0.4]
    losses = [
        replace(one, score=score, minimized=True)
        for one, score in zip(trials, [0.4, 0.7, 0.8, 0.5], strict=True)
    ]
    assert ranked(losses).tolist() == [0.7, 0.4, 0.5, 0.8]
