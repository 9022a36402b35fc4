""".keras models, in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.metrics.scores import PREDICTION_BATCH
from models.serving.classifier import Classifier, in_batches
from models.serving.model_files import load_model


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in the .keras file `path`; raises as `models.serving.model_files.load_model`."""
    return classifier_of(load_model(path), path)


def classifier_of(model: Any, path: Path | None = None) -> Classifier:
    """Return `model`, a keras.Model of faces, as a classifier; `path` is where it is from, for messages."""
    return in_batches(model.predict_on_batch, path, PREDICTION_BATCH)
