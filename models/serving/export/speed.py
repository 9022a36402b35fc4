"""How fast each export classifies, on this machine, all in one run."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.serving.classifier import Classifier

BATCH_SIZES = (1, 64)
SECONDS = 0.25
_ROUNDS = 3


def measure(classifiers: Mapping[str, Classifier], faces: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
    """Return images a second of each of `classifiers`: name -> {"1": at batch 1, "64": at batch 64}, rounded to 3 digits.

    The best of three rounds of a quarter second (or one call, if that takes longer), after a call to warm up; the rounds of all
    take turns, so that a busy moment of the machine does not fall on one alone.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in classifiers}
    for batch in BATCH_SIZES:
        given = np.resize(faces, (batch, *faces.shape[1:]))
        for classify in classifiers.values():
            classify(given)
        for _ in range(_ROUNDS):
            for name, classify in classifiers.items():
                rate = _rate(classify, given)
                found[name][str(batch)] = max(found[name].get(str(batch), 0.0), float(f"{rate:.3g}"))
    return found


def _rate(classify: Classifier, faces: NDArray[np.uint8]) -> float:
    begun, done, seconds = time.perf_counter(), 0, 0.0
    while seconds < SECONDS:
        classify(faces)
        done, seconds = done + len(faces), time.perf_counter() - begun
    return done / seconds


def fastest(speeds: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return the format to serve with on a CPU, by the size of the batches.

    Example:
        >>> fastest({"onnx": {"1": 210.0, "64": 900.0}, "litert": {"1": 250.0, "64": 700.0}})
        {'1': 'litert', '64': 'onnx'}
    """
    return {
        str(batch): max(speeds, key=lambda name: speeds[name][str(batch)]) for batch in BATCH_SIZES if speeds
    }
