"""What every runtime gives: a function from faces to probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS

Classifier = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 faces [N, 48, 48, 1] -> float32 probabilities [N, 8], for any N."""
Opener = Callable[[Path], Classifier]

BATCH = 64
"""Faces a runtime is given at once; more only cost memory."""


def in_batches(run: Classifier, batch: int = BATCH) -> Classifier:
    """Return a classifier that gives `run` up to `batch` faces at a time, the last partial batch included."""

    def classify(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [run(faces[i : i + batch]) for i in range(0, len(faces), batch)]
        return np.concatenate(parts) if parts else np.zeros((0, len(EMOTIONS)), np.float32)

    return classify


def check_shapes(path: Path, inputs: Sequence[object], outputs: Sequence[object], dtype: str) -> None:
    """Raise InputError unless a model takes faces and gives probabilities.

    Args:
        path: The model's, for the message.
        inputs, outputs: Shapes with the batch dimension first, whatever stands for "any" there.
        dtype: Of the input.
    """
    if [*inputs[1:]] != [48, 48, 1] or [*outputs[1:]] != [len(EMOTIONS)] or dtype != "uint8":
        raise InputError(
            f"checkpoint {path}: expected uint8 faces [48, 48, 1] in and {len(EMOTIONS)} probabilities out, found {dtype} "
            f"{[*inputs[1:]]} in and {[*outputs[1:]]} out"
        )


def unreadable(path: Path, expected: str, error: Exception) -> InputError:
    """The one line for whatever a damaged file makes its runtime raise."""
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return InputError(
        f"checkpoint {path}: expected a whole {expected}, found one that does not load ({reason})"
    )
