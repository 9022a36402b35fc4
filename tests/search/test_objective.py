"""What a search is for: where the objective is read, in either direction."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

from ferplus_data.dataset import load_dataset
from models.backbones.registry import BACKBONES
from models.metrics.objectives import OBJECTIVES, Objective
from search.results.finalists import improvement_on
from search.results.retraining import retraining_seeds
from search.setup import training_settings, weights_for
from search.study.arguments import SearchArguments
from search.study.view import TrialRecord, best_trial


def record(number: int, score: float | None, minimized: bool) -> TrialRecord:
    return TrialRecord(number, "complete", {}, score, {}, None, None, None, None, Path(), minimized=minimized)


@pytest.mark.parametrize(("minimized", "best"), [(False, 2), (True, 1)])
def test_the_best_trial_is_the_best_by_the_objective(minimized: bool, best: int) -> None:
    trials = [record(n, score, minimized) for n, score in enumerate([None, 0.4, 0.9, 0.9, 0.4])]
    found = best_trial(trials)
    assert found is not None and found.number == best


def test_accuracy_is_asked_for_unless_another_is() -> None:
    assert SearchArguments(data="demo").objective == "accuracy"
    for name in OBJECTIVES:
        assert SearchArguments(data="demo", objective=name).objective == name
    with pytest.raises(ValueError, match="--objective.*nll_votes.*found.*f2"):
        SearchArguments(data="demo", objective="f2")


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_a_retraining_has_seeds_that_no_trial_had(seed: int) -> None:
    arguments: Any = SimpleNamespace(seed=seed, retrain_seeds=3)
    seeds = retraining_seeds(arguments)
    assert len({seed, *seeds}) == 4 and all(0 <= one < 2**32 for one in seeds)


@pytest.mark.parametrize(
    ("option", "value"), [("seed", 7), ("objective", "macro_f1"), ("precision", "bfloat16")]
)
def test_an_option_reaches_the_setting_of_its_name(option: str, value: Any) -> None:
    given = SearchArguments(data="demo", **{option: value})
    reached = training_settings(given, "small", replicas=2)
    assert getattr(reached, option) == reached.key()[option] == value
    assert reached.replicas == 2 and training_settings(given, "small", seed=1).seed == 1


PUBLISHED = {
    "resnet50": "vggface2",
    "senet50": "vggface2",
    "dlib_face": "dlib",
}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_published_weights_are_loaded_unless_others_are_asked_for(backbone: str) -> None:
    given: Any = SimpleNamespace(weights=None)
    assert weights_for(given, backbone) == PUBLISHED.get(backbone, "none")
    assert weights_for(SimpleNamespace(weights="mine.h5"), backbone) == "mine.h5"  # type: ignore[arg-type]


def test_a_trial_that_was_pruned_or_interrupted_is_the_best_only_where_none_has_its_epochs() -> None:
    scores = {"pruned": 0.9, "released": 0.8, "resting": 0.6, "complete": 0.5, "failed": 0.95}
    trials = [
        TrialRecord(n, state, {}, score, {}, None, None, None, None, Path())
        for n, (state, score) in enumerate(scores.items())
    ]
    for states, best in ((set(scores), "resting"), (scores.keys() - {"resting", "complete"}, "pruned")):
        found = best_trial([trial for trial in trials if trial.state in states])
        assert found is not None and found.state == best
    assert best_trial([trial for trial in trials if trial.state == "failed"]) is None


@pytest.mark.parametrize(
    ("unit", "said"), [("nats", "0.250 nats [0.250, 0.250]"), ("share", "25.0 points [25.0, 25.0]")]
)
def test_an_improvement_is_told_in_the_objectives_unit(
    unit: Literal["share", "nats"], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Objective(lambda probabilities, split: float(probabilities[0, 0]), "min", "a loss", unit)
    monkeypatch.setitem(OBJECTIVES, "loss", loss)
    split = load_dataset("demo", subset=0.1).val
    probabilities = {
        number: [np.full((len(split), 8), value, np.float32)] for number, value in {3: 0.5, 0: 0.75}.items()
    }
    found, known = record(3, 0.5, True), record(0, 0.75, True)
    improvement = improvement_on(found, known, probabilities, split, "loss")
    assert f"improved on the known recipe by {said} of validation a loss: shown" in improvement["statement"]
    behind = improvement_on(known, found, probabilities, split, "loss")
    of = re.sub(r"(\d+\.\d+)", r"-\1", said)
    assert f"the search did not improve on the known recipe: {of} of validation a loss" in behind["statement"]
