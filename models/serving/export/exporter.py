"""What a format of export is, and what each is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.serving.classifier import Opener

PRECISIONS = ("float32", "float16", "int8")


@dataclass(frozen=True)
class Conversion:
    """How to write a model.

    Attributes:
        precision: Of PRECISIONS.
        calibration: uint8 faces [N, 48, 48, 1] of the training split, from which int8 takes the ranges of activations.
        metadata: What the file should say of itself, as plain values.
    """

    precision: str
    calibration: NDArray[np.uint8]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Exporter:
    """One format.

    Attributes:
        name: Its name in `EXPORTERS`.
        files: What it writes into the folder; the first is what is opened.
        write: Writes them into the folder it is given.
        open: Opens the first of the files in the format's own runtime.
        runtime: The runtime's name.
        usage: Python lines that classify `faces`, uint8 [N, 48, 48, 1], for the model card.
        precisions: Those that it can be written in.
        program: If there is one, the proof runs it in a Python process of its own, which knows nothing of this project, with
            the arguments first file, faces.npy, probabilities.npy.
        metadata: Where in the file class names and version are.
        check: Raises InputError where something that it is written with is not there; called before anything is converted.
        measured: Whether the speed of `open` here is that of the format.
    """

    name: str
    files: tuple[str, ...]
    write: Callable[[keras.Model, Path, Conversion], None]
    open: Opener
    runtime: str
    usage: str
    metadata: str
    precisions: tuple[str, ...] = ("float32",)
    program: str | None = None
    check: Callable[[], object] | None = None
    measured: bool = True
