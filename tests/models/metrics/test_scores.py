from __future__ import annotations

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.metrics.calibration import against_votes, calibration
from models.metrics.scores import score


def test_figures_of_known_predictions(tiny: Dataset) -> None:
    split = tiny.val.take(np.arange(5))
    split.labels[:] = [0, 0, 1, 1, 2]
    split.in_training[:] = [True, False, False, False, False]
    probabilities = np.eye(8, dtype=np.float32)[[0, 1, 1, 1, 0]]
    figures = score(probabilities, split)
    assert figures["accuracy"] == pytest.approx(3 / 5) and figures["n"] == 5
    assert figures["accuracy_new_photographs"] == pytest.approx(2 / 4) and figures["n_new_photographs"] == 4
    assert figures["majority_class_rate"] == pytest.approx(2 / 5)
    assert figures["confusion"][0][:3] == [1, 1, 0] and figures["confusion"][2][0] == 1
    assert np.sum(figures["confusion"]) == 5
    happiness = figures["per_class"][1]
    assert (happiness["precision"], happiness["recall"], happiness["support"]) == (
        pytest.approx(2 / 3),
        1.0,
        2,
    )
    assert figures["macro_f1"] == pytest.approx((0.5 + 0.8 + 0.0) / 3)
    objectives = figures["objectives"]
    assert objectives["accuracy"] == figures["accuracy"] and objectives["macro_f1"] == figures["macro_f1"]
    assert objectives["balanced_accuracy"] == pytest.approx((0.5 + 1.0 + 0.0) / 3)
    assert objectives["nll_majority"] == pytest.approx(2 / 5 * -np.log(1e-7), rel=1e-4)


def test_no_row_with_a_new_photograph(tiny: Dataset) -> None:
    split = tiny.test.reveal_labels().take(np.arange(2))
    split.in_training[:] = True
    assert score(np.eye(8, dtype=np.float32)[[0, 1]], split)["accuracy_new_photographs"] is None


def test_a_model_that_is_always_sure_and_half_right_is_half_miscalibrated():
    probabilities = np.eye(8, dtype=np.float32)[[0, 0, 1, 1]]
    found = calibration(probabilities, np.array([0, 1, 1, 0]))
    assert found["ece"] == pytest.approx(0.5)
    assert [(b["n"], b["confidence"], b["accuracy"]) for b in found["bins"]] == [(4, 1.0, 0.5)]


def test_confidence_that_equals_the_share_that_is_right_has_no_calibration_error():
    probabilities = np.full((4, 8), 0.25 / 7, np.float32)
    probabilities[:, 2] = 0.75
    assert calibration(probabilities, np.array([2, 2, 2, 3]))["ece"] == pytest.approx(0, abs=1e-6)


def test_scores_against_the_votes_are_the_textbooks() -> None:
    votes = np.zeros((2, 10), np.int64)
    votes[0, [0, 1, 8]] = (6, 2, 2)  # those for unknown do not count
    votes[1, 2] = 10
    said = np.full((2, 8), 1e-9)
    said[0, [0, 1]], said[1, [2, 3]] = (0.5, 0.5), (0.9, 0.1)
    found = against_votes(said, np.array([0, 2]), votes)
    assert found["nll"] == pytest.approx(-(np.log(0.5) + np.log(0.9)) / 2)
    assert found["nll_votes"] == pytest.approx(-(np.log(0.5) + np.log(0.9)) / 2)
    assert found["nll_votes_floor"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / 2)
    # One voter drawn from (0.75, 0.25): 0.75 * (0.25 + 0.25) + 0.25 * (0.25 + 0.25).
    assert found["brier_votes"] == pytest.approx((0.5 + (0.01 + 0.01)) / 2)
    assert found["brier_votes_floor"] == pytest.approx((0.375 + 0) / 2)
    assert found["brier"] == pytest.approx((0.5 + 0.02) / 2)


def test_the_floor_is_what_a_calibrated_model_shows_on_so_few_rows() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.3, 1, 500)
    probabilities = np.repeat(((1 - confidence) / 7)[:, None], 8, axis=1)
    probabilities[:, 0] = confidence
    drawn = [
        calibration(probabilities, np.where(rng.random(500) < confidence, 0, 1))["ece"] for _ in range(30)
    ]
    floor = calibration(probabilities, np.zeros(500, int))["ece_floor"]
    assert floor == pytest.approx(np.mean(drawn), abs=0.006) and floor > 0.02
