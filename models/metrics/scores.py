"""Probabilities against the labels: the figures of metrics.json."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ferplus_data.dataset import Split
from ferplus_data.labels import EMOTIONS, PROTOCOLS
from models.metrics import objectives, photographs
from models.metrics.calibration import against_votes, calibration
from models.metrics.ties import tie_figures

PREDICTION_BATCH = 256


def predict_probabilities(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    """Return float32 [N, 8] for uint8 faces [N, 48, 48, 1], the last partial batch included."""
    if len(faces) == 0:
        return np.zeros((0, len(EMOTIONS)), np.float32)
    return np.asarray(model.predict(faces, batch_size=PREDICTION_BATCH, verbose=0), np.float32)


def score(probabilities: np.ndarray, split: Split) -> dict[str, Any]:
    """Return the figures of `probabilities` on the rows of `split` that have a label, and under every rule for the rows.

    Args:
        probabilities: [N, 8], of the N rows of `split`.
        split: such as `Dataset.val_of_any_protocol`; with rows of the training protocol alone, those that another one keeps
            besides are missing from its figures.

    Returns:
        accuracy, n, interval; accuracy_new_photographs, n_new_photographs, interval_new_photographs (rows whose photograph is
        not in training; None when there are none); macro_f1; objectives, the value of every objective by name;
        majority_class_rate; per_class, a list of emotion, precision, recall, f1 and support; confusion, 8x8 counts with the
        true class as row; calibration, votes, ties and photographs, as `calibration.calibration`, `calibration.against_votes`,
        `ties.tie_figures` and `photographs.figures` give them; protocols, for each of `labels.PROTOCOLS` accuracy, n and
        interval on the rows and labels of that rule.
    """
    from sklearn import metrics  # it takes a second, and trials do without

    protocols = {}
    for name in PROTOCOLS:
        rows, chosen = split.under(name)
        if len(rows):
            protocols[name] = photographs.accuracy_of(probabilities[chosen].argmax(axis=1), rows)
    labelled = split.labels >= 0
    probabilities, split = probabilities[labelled], split.take(labelled)
    labels, predicted = split.labels, probabilities.argmax(axis=1)
    of_photographs = photographs.figures(predicted, split)
    every, new = of_photographs["all_rows"], of_photographs["new_photographs"]
    classes = np.arange(len(EMOTIONS))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0.0
    )
    return {
        "accuracy": every["accuracy"],
        "n": len(labels),
        "interval": every["interval"],
        "accuracy_new_photographs": new and new["accuracy"],
        "n_new_photographs": new["n"] if new else 0,
        "interval_new_photographs": new and new["interval"],
        # Over the classes that the split holds: a class without a row has no F1.
        "macro_f1": every["macro_f1"],
        "objectives": objectives.measure(probabilities, split),
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
        "confusion": metrics.confusion_matrix(labels, predicted, labels=classes).tolist(),
        "calibration": calibration(probabilities, labels),
        "votes": against_votes(probabilities, labels, split.votes),
        "ties": tie_figures(predicted, labels, split.votes),
        "photographs": of_photographs,
        "protocols": protocols,
    }
