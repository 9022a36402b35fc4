""".keras models, in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.metrics.scores import PREDICTION_BATCH
from models.serving.model_files import load_model
from models.serving.runtimes.classifier import Classifier, in_batches


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in the .keras file `path`; raises as `models.serving.model_files.load_model`."""
    return classifier_of(load_model(path))


def classifier_of(model: Any) -> Classifier:
    """Return `model`, a keras.Model of faces, as a classifier."""
    return in_batches(
        lambda faces: np.asarray(model.predict_on_batch(faces), np.float32), batch=PREDICTION_BATCH
    )
