"""The objectives against scikit-learn's functions, Keras's losses and figures worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from ferplus_data.dataset import Split
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES, measure


def split_of(votes: np.ndarray) -> Split:
    count = len(votes)
    return Split(
        np.zeros((count, 48, 48), np.uint8),
        np.arange(count),
        votes[:, :8].argmax(axis=1),
        votes.astype(np.uint8),
        np.arange(count),
        np.zeros(count, bool),
        np.zeros(count, bool),
    )


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, Split]:
    """Probabilities that are often right, and votes with a clear majority; nobody is afraid."""
    rng = np.random.default_rng(3)
    labels = rng.choice([0, 1, 2, 3, 4, 5, 7], 400)
    votes = rng.integers(0, 4, (400, 10))
    votes[np.arange(400), labels] += 8
    logits = rng.normal(size=(400, 8))
    logits[np.arange(400), labels] += 1.5
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32), split_of(votes)


def test_every_objective_is_what_others_compute(drawn: tuple[np.ndarray, Split]) -> None:
    probabilities, split = drawn
    predicted = probabilities.argmax(axis=1)
    present = [0, 1, 2, 3, 4, 5, 7]
    votes = split.votes[:, :8].astype(float)
    votes[votes == 1] = 0
    shares = votes / votes.sum(axis=1, keepdims=True)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(split.labels, predicted),
        "macro_f1": sklearn_metrics.f1_score(split.labels, predicted, labels=present, average="macro"),
        "balanced_accuracy": sklearn_metrics.recall_score(
            split.labels, predicted, labels=present, average="macro"
        ),
        "nll_majority": sklearn_metrics.log_loss(split.labels, probabilities, labels=np.arange(8)),
        "nll_votes": float(
            np.mean(keras.ops.convert_to_numpy(keras.losses.categorical_crossentropy(shares, probabilities)))
        ),
    }
    assert measure(probabilities, split) == pytest.approx(expected, rel=1e-5)
    assert list(expected) == list(OBJECTIVES) and expected["macro_f1"] < 0.9


def test_four_faces_by_hand() -> None:
    votes = np.zeros((4, 10), int)
    votes[0, 0], votes[1, 0], votes[2, 1], votes[3, 1] = 10, 10, 10, 6
    votes[3, 2], votes[3, 9] = 2, 1
    probabilities = np.full((4, 8), 0.01, np.float32)
    probabilities[0, 0] = probabilities[1, 1] = probabilities[2, 1] = 0.93
    probabilities[3, 1], probabilities[3, 2] = 0.5, 0.44
    nll = [-np.log(0.93), -np.log(0.01), -np.log(0.93)]
    assert measure(probabilities, split_of(votes)) == pytest.approx(
        {
            "accuracy": 3 / 4,
            # neutral: precision 1, recall 1/2; happiness: precision 2/3, recall 1
            "macro_f1": (2 / 3 + 4 / 5) / 2,
            "balanced_accuracy": (1 / 2 + 1) / 2,
            "nll_majority": (sum(nll) - np.log(0.5)) / 4,
            "nll_votes": (sum(nll) - 0.75 * np.log(0.5) - 0.25 * np.log(0.44)) / 4,
        },
        rel=1e-6,
    )


def test_a_probability_of_nothing_costs_much_and_not_everything() -> None:
    votes = np.zeros((1, 10), int)
    votes[0, 3] = 10
    certain_and_wrong = np.eye(8, dtype=np.float32)[:1]
    assert OBJECTIVES["nll_majority"].function(certain_and_wrong, split_of(votes)) == pytest.approx(
        16.118, abs=1e-3
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_better_faces_are_better(name: str, drawn: tuple[np.ndarray, Split]) -> None:
    """The direction is the figure's own."""
    probabilities, split = drawn
    objective = OBJECTIVES[name]
    worse = objective.function(np.roll(probabilities, 1, axis=0), split)
    here = objective.function(probabilities, split)
    assert objective.better(here, worse) and not objective.better(worse, here)
    assert not objective.better(here, here)


def test_accuracy_is_what_is_asked_for_if_nothing_is_said() -> None:
    assert DEFAULT_OBJECTIVE == "accuracy"
