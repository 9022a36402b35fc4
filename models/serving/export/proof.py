"""An export against the model it was made from, on faces."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Dataset, Split
from models.metrics.intervals import wilson
from models.serving.classifier import Classifier
from models.serving.export.exporter import Exporter

TOLERANCE = 1e-4
"""Largest difference of a probability that still counts as the same model in float32."""

LEAST_AGREEMENT = {"float16": 0.99, "int8": 0.95}
"""Least share of the validation split whose label stays the same in a smaller precision. A choice of ours, well under what was
seen (docs/serving.md) and well over what a wrong conversion gives."""

PROOF_FACES, CALIBRATION_FACES = 128, 200


@dataclass(frozen=True)
class Evidence:
    """What exports are proven on.

    Attributes:
        source: Name of the data, without its place, for the record.
        faces: uint8 [N, 48, 48, 1] of the validation split, N up to PROOF_FACES, at least 3.
        calibration: uint8 [N, 48, 48, 1] of the training split, N up to CALIBRATION_FACES.
        val: The validation split, for the accuracy in smaller precisions.
    """

    source: str
    faces: NDArray[np.uint8]
    calibration: NDArray[np.uint8]
    val: Split

    @classmethod
    def of(cls, dataset: Dataset) -> Evidence:
        """Take evenly spread rows of `dataset`."""
        return cls(
            Path(dataset.source).name,
            _spread(dataset.val, PROOF_FACES),
            _spread(dataset.train, CALIBRATION_FACES),
            dataset.val,
        )


def prove(
    exporter: Exporter, path: Path, precision: str, model: Classifier, evidence: Evidence
) -> dict[str, Any]:
    """Return how far the export in `path` is from `model`, and whether that is near enough (`ok`).

    float32 has to keep TOLERANCE, at every number of faces asked for; a smaller precision to the share of the validation
    split that keeps its label.
    """
    expected = _probe(model, evidence.faces)
    if exporter.program is not None:
        found = _in_a_process_of_its_own(exporter.program, path, evidence.faces)
    else:
        found = _probe(exporter.open(path), evidence.faces)
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    proof: dict[str, Any] = {
        "precision": precision,
        "runtime": exporter.runtime,
        "max_abs_difference": difference,
        "faces": len(evidence.faces),
        "faces_from": evidence.source,
        "batch_sizes": [1, 3, min(64, len(evidence.faces))],
    }
    if precision == "float32":
        return {**proof, "tolerance": TOLERANCE, "ok": difference <= TOLERANCE}
    pixels, labels = evidence.val.pixels(), evidence.val.labels
    before, after = model(pixels).argmax(axis=1), exporter.open(path)(pixels).argmax(axis=1)
    agreement, accuracy = float((before == after).mean()), float((after == labels).mean())
    return {
        **proof,
        "label_agreement": agreement,
        "least_label_agreement": LEAST_AGREEMENT[precision],
        "val_accuracy": accuracy,
        "val_interval": list(wilson(accuracy, len(labels))),
        "val_accuracy_float32": float((before == labels).mean()),
        "n_val": len(labels),
        "ok": agreement >= LEAST_AGREEMENT[precision],
    }


def said(proof: dict[str, Any]) -> str:
    """How far off a failed proof was, in words."""
    if "error" in proof:
        return str(proof["error"])
    if proof["precision"] == "float32":
        return f"differs by {proof['max_abs_difference']:.2g} in probability, expected up to {proof['tolerance']:g}"
    kept, least = proof["label_agreement"], proof["least_label_agreement"]
    return f"keeps the label of {kept:.1%} of the faces, expected at least {least:.0%}"


def _probe(classify: Classifier, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([classify(faces), classify(faces[:1]), classify(faces[:3])])


def _spread(split: Split, count: int) -> NDArray[np.uint8]:
    return split.take(np.unique(np.linspace(0, len(split) - 1, count).astype(np.int64))).pixels()


def _in_a_process_of_its_own(program: str, path: Path, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "faces.npy", Path(folder) / "probabilities.npy"
        np.save(given, faces)
        # From another folder, so that nothing of this project can be imported.
        result = subprocess.run(
            [sys.executable, "-c", program, str(path.resolve()), str(given), str(taken)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
        )
        if result.returncode:
            lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
            raise RuntimeError(f"does not run in a process of its own: {lines[-1]}")
        return np.load(taken)
