"""The best checkpoint in a form to ship, each format proven equal to what was measured. Adding one is a line in EXPORTERS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from ferplus_data.errors import InputError
from models.evaluation import predict_probabilities
from models.saved import load_model, save_model

TOLERANCE = 1e-4
"""Largest difference of a probability that still counts as the same model in float32."""

_RUN_KERAS = """
import sys, numpy, keras
model = keras.saving.load_model(sys.argv[1], compile=False)
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), batch_size=64, verbose=0))
"""


def _keras(model: keras.Model, folder: Path) -> Path:
    return save_model(model, folder / "model.keras")


EXPORTERS: dict[str, tuple[Callable[[keras.Model, Path], Path], str]] = {"keras": (_keras, _RUN_KERAS)}
"""Format -> (writes the file into a folder, the program that runs it in a process of its own)."""


class ParityError(RuntimeError):
    """An exported file does not compute what the checkpoint does."""


def export_model(checkpoint: Path, formats: Sequence[str], folder: Path) -> list[Path]:
    """Write `checkpoint` in each of `formats` into `folder`, with parity.json: how far each, run in a fresh process, is from it.

    Raises:
        InputError: An unknown format, or no such checkpoint.
        ParityError: A format differs by more than TOLERANCE; its file is removed.
    """
    for name in formats:
        if name not in EXPORTERS:
            raise InputError(f"--format {name!r}: expected of {', '.join(EXPORTERS)}")
    model = load_model(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    # Every grey level and a wide range of contrasts; a network is equal on faces if it is equal on these.
    faces = np.random.default_rng(0).integers(0, 256, (64, 48, 48, 1)).astype(np.uint8)
    expected = predict_probabilities(model, faces)
    proofs, written = {}, []
    for name in formats:
        write, program = EXPORTERS[name]
        path = write(model, folder)
        difference = float(np.abs(_run(program, path, faces) - expected).max())
        if not difference <= TOLERANCE:
            path.unlink()
            raise ParityError(
                f"{name}: differs from {checkpoint} by {difference:.2g}, expected up to {TOLERANCE:g}; not exported"
            )
        proofs[name] = {
            "file": path.name,
            "largest_difference": difference,
            "tolerance": TOLERANCE,
            "images": len(faces),
        }
        written.append(path)
    proof = folder / "parity.json"
    temporary = folder / ".writing-parity.json"
    temporary.write_text(json.dumps(proofs, indent=2) + "\n")
    os.replace(temporary, proof)
    return [*written, proof]


def _run(program: str, path: Path, faces: np.ndarray) -> np.ndarray:
    folder = Path(tempfile.mkdtemp())
    try:
        np.save(folder / "faces.npy", faces)
        result = subprocess.run(
            [sys.executable, "-c", program, str(path), str(folder / "faces.npy"), str(folder / "out.npy")],
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise ParityError(
                f"{path}: does not load in a fresh process: {result.stderr.strip().splitlines()[-1]}"
            )
        return np.load(folder / "out.npy")
    finally:
        shutil.rmtree(folder)
