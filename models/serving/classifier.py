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

_SUM_TOLERANCE = 0.05
"""How far from 1 the probabilities of a face may add up to: int8 outputs round each of eight to 1/256."""


def in_batches(
    run: Callable[[NDArray[np.uint8]], object], path: Path | None = None, batch: int = BATCH
) -> Classifier:
    """Return a classifier that gives `run` up to `batch` faces at a time, the last partial batch included.

    Args:
        run: uint8 faces [n, 48, 48, 1] -> what the model gives for them.
        path: Of the model, for messages; None: it is in memory.
        batch: Faces at once.

    The classifier raises InputError if `run` fails, or gives anything else than probabilities: logits, several outputs, numbers
    that are not finite.
    """
    model = "the model" if path is None else f"checkpoint {path}"

    def classify(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        if faces.dtype != np.uint8 or faces.shape[1:] != (48, 48, 1):
            raise InputError(
                f"{model}: expected uint8 faces [N, 48, 48, 1], found {faces.dtype} {list(faces.shape)}"
            )
        parts = [_probabilities(run, faces[i : i + batch], model) for i in range(0, len(faces), batch)]
        return np.concatenate(parts) if parts else np.zeros((0, len(EMOTIONS)), np.float32)

    return classify


def _probabilities(
    run: Callable[[NDArray[np.uint8]], object], faces: NDArray[np.uint8], model: str
) -> NDArray[np.float32]:
    try:
        found = np.asarray(run(faces), np.float32)
    except InputError:
        raise
    except Exception as error:  # every runtime has exceptions of its own for a graph that does not run
        raise InputError(
            f"{model}: expected a classifier of faces, found one that does not run ({_reason(error)})"
        ) from error
    expected = (len(faces), len(EMOTIONS))
    if found.shape != expected:
        raise InputError(
            f"{model}: expected probabilities {list(expected)} for {len(faces)} faces, found {list(found.shape)}"
        )
    if not np.isfinite(found).all():
        raise InputError(f"{model}: expected probabilities, found numbers that are not finite")
    low, sums = float(found.min()), found.sum(axis=1)
    if low < -1e-3 or np.abs(sums - 1).max() > _SUM_TOLERANCE:
        raise InputError(
            f"{model}: expected probabilities, which are 0 or more and add up to 1, found values from {low:.3g} to "
            f"{float(found.max()):.3g} with sums from {float(sums.min()):.3g} to {float(sums.max()):.3g}; logits need a softmax"
        )
    return found


def check_shapes(path: Path, inputs: Sequence[object], outputs: Sequence[object], dtype: str) -> None:
    """Raise InputError unless a model takes faces and gives probabilities.

    Args:
        path: The model's, for the message.
        inputs, outputs: Shapes with the batch dimension first: a whole number, or whatever stands for "any".
        dtype: Of the input.
    """
    if [*inputs[1:]] != [48, 48, 1] or [*outputs[1:]] != [len(EMOTIONS)] or dtype != "uint8":
        raise InputError(
            f"checkpoint {path}: expected uint8 faces [48, 48, 1] in and {len(EMOTIONS)} probabilities out, found {dtype} "
            f"{[*inputs[1:]]} in and {[*outputs[1:]]} out"
        )
    if isinstance(inputs[0], int):
        raise InputError(
            f"checkpoint {path}: expected any number of faces in, found {inputs[0]} at a time; write it with a free batch"
        )


def check_ends(path: Path, inputs: Sequence[object], outputs: Sequence[object]) -> None:
    """Raise InputError unless a model has one input and one output, of which the names or any others are given."""
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            f"checkpoint {path}: expected one input and one output, found {_named(inputs)} in and {_named(outputs)} out"
        )


def unreadable(path: Path, expected: str, error: Exception) -> InputError:
    """The one line for whatever a damaged file makes its runtime raise."""
    return InputError(
        f"checkpoint {path}: expected a whole {expected}, found one that does not load ({_reason(error)})"
    )


def _named(ends: Sequence[object]) -> str:
    return f"{len(ends)} ({', '.join(str(end)[:40] for end in ends[:4])})" if ends else "none"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
