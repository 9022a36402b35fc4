from __future__ import annotations

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.metrics.calibration import calibration
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


def test_no_row_with_a_new_photograph(tiny: Dataset) -> None:
    split = tiny.test.take(np.arange(2))
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
