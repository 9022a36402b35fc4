"""Probabilities against the majority labels: the figures of metrics.json."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ferplus_data.dataset import Split
from ferplus_data.labels import EMOTIONS
from models.metrics.intervals import wilson

PREDICTION_BATCH = 256
CALIBRATION_BINS = 15
"""Of equal width, as in Guo et al. 2017, On Calibration of Modern Neural Networks."""


def predict_probabilities(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    """Return float32 [N, 8] for uint8 faces [N, 48, 48, 1], the last partial batch included."""
    if len(faces) == 0:
        return np.zeros((0, len(EMOTIONS)), np.float32)
    return np.asarray(model.predict(faces, batch_size=PREDICTION_BATCH, verbose=0), np.float32)


def evaluate(model: keras.Model, split: Split) -> dict[str, Any]:
    """Return the figures of `model` on every row of `split`; see `score`."""
    return score(predict_probabilities(model, split.pixels()), split)


def score(probabilities: np.ndarray, split: Split) -> dict[str, Any]:
    """Return the figures of `probabilities` [N, 8] against the majority labels of the N rows of `split`.

    Returns:
        accuracy, n, interval (Wilson, 95 %); accuracy_without_twins, n_without_twins, interval_without_twins (rows whose
        image is not byte-identical to a training image; None when there are none); macro_f1; majority_class_rate;
        per_class, a list of emotion, precision, recall, f1 and support; confusion, 8x8 counts with the true class as
        row; calibration, see there.
    """
    labels, predicted = split.labels, probabilities.argmax(axis=1)
    right = predicted == labels
    untwinned = ~split.twin
    classes = np.arange(len(EMOTIONS))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0.0
    )
    present = support > 0
    return {
        "accuracy": float(right.mean()),
        "n": len(labels),
        "interval": list(wilson(float(right.mean()), len(labels))),
        "accuracy_without_twins": float(right[untwinned].mean()) if untwinned.any() else None,
        "n_without_twins": int(untwinned.sum()),
        "interval_without_twins": list(wilson(float(right[untwinned].mean()), int(untwinned.sum())))
        if untwinned.any()
        else None,
        # Over the classes that the split holds: a class without a row has no F1.
        "macro_f1": float(f1[present].mean()),
        "majority_class_rate": float(support.max() / support.sum()),
        "per_class": [
            {
                "emotion": emotion,
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, emotion in enumerate(EMOTIONS)
        ],
        "confusion": confusion_matrix(labels, predicted, labels=classes).tolist(),
        "calibration": calibration(probabilities, labels),
    }


def calibration(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return how well the confidence, the highest of the probabilities [N, 8], matches the share that is right.

    Returns:
        ece, the expected calibration error, 0 to 1; bins, for each of the CALIBRATION_BINS ranges of confidence that is
        not empty: from, to, n, confidence and accuracy, both means over its rows.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    index = np.digitize(confidence, edges[1:-1], right=True)
    bins = [
        {
            "from": float(edges[i]),
            "to": float(edges[i + 1]),
            "n": int(rows.sum()),
            "confidence": float(confidence[rows].mean()),
            "accuracy": float(right[rows].mean()),
        }
        for i in range(CALIBRATION_BINS)
        if (rows := index == i).any()
    ]
    ece = sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / max(len(labels), 1)
    return {"ece": float(ece), "bins": bins}
