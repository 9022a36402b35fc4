"""What a choice flatters, and what is left when that is taken off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.answer import answer
from reports.analysis.answer.headline import asked_for
from reports.analysis.selection import CHOSEN, corrected
from reports.writers.tables import as_dict
from search.study.view import best_trial

ROWS, TRIALS, TRUE = 400, 60, 0.7


@pytest.fixture
def guessing(study_of, tmp_path):
    """Sixty complete trials of the same quality: the best is the luckiest. Each is right on a row with the chance TRUE."""
    view = study_of("running", trials=TRIALS + 3, directory=tmp_path)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, ROWS)
    trials = []
    for trial in view.trials[:TRIALS]:
        right = rng.random(ROWS) < TRUE
        said = np.eye(8)[np.where(right, labels, (labels + 1) % 8)]
        trial.directory.mkdir(parents=True)
        np.savez(
            trial.directory / "validation.npz",
            probabilities=said.astype(np.float16),
            labels=labels.astype(np.uint8),
        )
        trials.append(replace(trial, state="complete", score=float(right.mean())))
    return replace(view, trials=trials)


def test_the_corrected_estimate_takes_the_luck_off(guessing):
    found = corrected(guessing)
    best = best_trial(guessing.trials)
    assert (found.trial, found.configurations, found.n) == (best.number, TRIALS, ROWS)
    assert found.chosen == pytest.approx(best.score) and best.score > TRUE + 0.04
    assert found.accuracy == pytest.approx(TRUE, abs=0.02)
    assert found.low < TRUE < found.high < found.chosen + 0.05


def test_it_stands_beside_the_flattering_figure_and_in_the_json(guessing):
    found = answer(guessing)
    assert found.corrected == corrected(guessing)
    assert all(result.chosen for result in found.results)
    assert "corrected for the choice" in found.honest and f"{found.corrected.accuracy:.1%}" in found.honest
    said = as_dict(guessing)["selection"]
    assert said["bias_corrected"]["accuracy"] == found.corrected.accuracy
    assert "trials[].score" in said[CHOSEN]


def test_without_kept_probabilities_nothing_is_corrected(guessing):
    for trial in guessing.trials[1:]:
        (trial.directory / "validation.npz").write_bytes(b"PK\x03\x04 cut")
    assert corrected(guessing) is None


def test_a_trial_that_rests_is_chosen_among_and_another_objective_is_another_choice(guessing):
    trials = [replace(t, state="resting") if t.number % 2 else t for t in guessing.trials]
    assert corrected(replace(guessing, trials=trials)) == corrected(guessing)
    arguments = {**guessing.config["arguments"], "objective": "nll_majority"}
    of_loss = replace(guessing, config={**guessing.config, "arguments": arguments})
    assert corrected(of_loss) is None and answer(of_loss).results == []
    assert answer(of_loss).honest.startswith("None yet: the validation scores are of the best")


def test_the_honest_accuracy_is_the_test_accuracy_once_there_is_one(study_of):
    view = study_of("full")
    said = answer(view).honest
    assert said.startswith(f"The test accuracy of the saved model, {view.metrics['test_accuracy']:.1%}")
    assert f"{view.metrics['test_accuracy_new_photographs']:.1%}" in said
    marked = as_dict(view)["selection"][CHOSEN]
    assert {"metrics.val_accuracy", "metrics.trial_score", "metrics.seeds[].val_accuracy"} <= set(marked)
    assert "metrics.seeds[].objectives.val" not in marked  # of a version before
    seeds = [{**seed, "objectives": {"val": {}}} for seed in view.metrics["seeds"]]
    marked = as_dict(replace(view, metrics={**view.metrics, "seeds": seeds}))["selection"][CHOSEN]
    assert "metrics.seeds[].objectives.val" in marked


def test_a_trial_that_a_user_asked_for_is_not_called_the_best(study_of):
    view = study_of("full")
    assert not asked_for(view)
    other = next(t.number for t in view.trials if t.number != view.metrics["trial"])
    asked = replace(view, metrics={**view.metrics, "trial": other})
    assert asked_for(asked)
    assert answer(asked).headline.startswith(
        f"Trial {other}, asked for by the user, was retrained and reached"
    )
    assert answer(asked).configuration == f"Configuration of trial {other}, asked for by the user"
