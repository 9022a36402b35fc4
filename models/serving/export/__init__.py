"""The best checkpoint in a form to ship, each format proven equal to it. A format is a file and a line in EXPORTERS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferplus_data.errors import InputError
from ferplus_data.files.owned import OwnFolder, sha256_of
from models.device.machine import machine
from models.serving.classifier import Classifier
from models.serving.export.card import CARD, write_card
from models.serving.export.exporter import PRECISIONS, Conversion, Exporter
from models.serving.export.h5_weights import H5_WEIGHTS
from models.serving.export.keras_archive import KERAS
from models.serving.export.litert import LITERT
from models.serving.export.onnx import ONNX
from models.serving.export.proof import Evidence, prove, said
from models.serving.export.saved_model import SAVED_MODEL
from models.serving.export.signature import signature
from models.serving.export.speed import fastest, measure
from models.serving.export.web import WEB
from models.serving.runtimes.keras_archive import classifier_of

EXPORTERS: dict[str, Exporter] = {
    "keras": KERAS,
    "onnx": ONNX,
    "saved_model": SAVED_MODEL,
    "litert": LITERT,
    "h5-weights": H5_WEIGHTS,
    "web": WEB,
}
"""Format -> how it is written, opened and called."""

_PROOF, _SIGNATURE, _SUMS = "parity.json", "signature.json", "SHA256SUMS"


class ParityError(RuntimeError):
    """An exported file does not compute what the checkpoint does."""

    exit_code = 1


@dataclass(frozen=True)
class Exported:
    """What an export wrote: its files, and the fastest format on a CPU like this one by the size of the batches, "1" and "64";
    none where no speed was measured."""

    paths: list[Path]
    fastest: dict[str, str]


def check_formats(formats: Sequence[str], precision: str) -> None:
    """Raise InputError for an unknown format or precision, for a format that cannot be written in the precision, or one that
    lacks what it is written with."""
    if precision not in PRECISIONS:
        raise InputError(f"--precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    for name in formats:
        if name not in EXPORTERS:
            raise InputError(f"--format {name!r}: expected of {', '.join(EXPORTERS)}")
        if precision not in EXPORTERS[name].precisions:
            able = [other.name for other in EXPORTERS.values() if precision in other.precisions]
            raise InputError(
                f"--precision {precision}: expected of the formats {', '.join(able)}, found {name}"
            )
    for name in formats:
        if (check := EXPORTERS[name].check) is not None:
            check()


def export_model(
    model: keras.Model,
    formats: Sequence[str],
    folder: Path,
    *,
    evidence: Evidence,
    about: dict[str, Any],
    metrics: dict[str, Any] | None = None,
    precision: str = "float32",
) -> Exported:
    """Write `model` in each of `formats` into `folder`, with parity.json, signature.json, README.md (the card), LICENSE.md and
    SHA256SUMS.

    Each format is written to a temporary folder, opened in its own runtime, compared with `model`, and only then moved into
    place. What an earlier export left in `folder`, by the manifest there, is replaced; other files are left alone.

    Args:
        model: uint8 faces [B, 48, 48, 1] -> probabilities [B, 8].
        formats: Names in EXPORTERS.
        folder: Made if need be.
        evidence: Faces for the proof.
        about: What the files and the card say of the model, as plain values: version, study, hyperparameters, and so on.
        metrics: As in best/metrics.json, for the card; None: not measured.
        precision: Of PRECISIONS.

    Raises:
        InputError: A format or precision that there is not, a file in the way that no earlier export wrote, or a model that gives
            no probabilities.
        ParityError: A format differs too much, or does not convert or open. The others are in place.
    """
    formats = list(dict.fromkeys(formats))
    check_formats(formats, precision)
    check_place(folder, formats)
    # A classifier refuses a model that gives anything else than probabilities.
    classifier_of(model)(evidence.faces[:3])
    own = OwnFolder(folder)
    with own.filling() as work:
        return _export(model, formats, own, work, evidence, about, metrics, precision)


def check_place(folder: Path, formats: Sequence[str], checkpoint: Path | None = None) -> None:
    """Raise InputError if an export of `formats` to `folder` would replace a file that no earlier export wrote, or the
    `checkpoint` that is to be exported."""
    own = OwnFolder(folder)
    names = [_PROOF, _SIGNATURE, *CARD, _SUMS, *(file for name in formats for file in EXPORTERS[name].files)]
    if checkpoint is not None and checkpoint.resolve() in [
        (folder / name).resolve() for name in (*names, *own.written())
    ]:
        raise InputError(
            f"--out {folder}: expected another folder than that of the checkpoint, {checkpoint.name}; choose another"
        )
    own.check(names, "--out")


def _export(
    model: keras.Model,
    formats: Sequence[str],
    own: OwnFolder,
    work: Path,
    evidence: Evidence,
    about: dict[str, Any],
    metrics: dict[str, Any] | None,
    precision: str,
) -> Exported:
    conversion = Conversion(precision, evidence.calibration, about)
    expected = classifier_of(model)
    proofs: dict[str, dict[str, Any]] = {}
    for name in formats:
        proofs[name] = _write_and_prove(EXPORTERS[name], model, work, conversion, expected, evidence)
    proven = [EXPORTERS[name] for name in formats if proofs[name]["ok"]]
    speeds = measure({e.name: e.open(work / e.files[0]) for e in proven if e.measured}, evidence.faces)
    for name, speed in speeds.items():
        proofs[name]["images_per_second"] = speed
    by_batch = fastest(speeds)
    record = {
        **about,
        "machine": machine(),
        "fastest_on_cpu": by_batch,
        "example": _example(expected),
    }
    _json(work / _PROOF, proofs)
    _json(work / _SIGNATURE, signature(proven, record))
    write_card(work, proven, proofs, record, metrics)
    files = [*(file for e in proven for file in e.files), _PROOF, _SIGNATURE, *CARD]
    (work / _SUMS).write_text("".join(_sums(work / name, name) for name in files), encoding="utf-8")
    own.put(work, [*files, _SUMS], instead=own.written())
    failed = [name for name in formats if not proofs[name]["ok"]]
    if failed:
        raise ParityError(
            "; ".join(f"{name}: {said(proofs[name])}; not exported" for name in failed)
            + (f" (exported: {', '.join(e.name for e in proven)})" if proven else "")
        )
    return Exported([own.path / name for name in (*files, _SUMS)], by_batch)


def _write_and_prove(
    exporter: Exporter,
    model: keras.Model,
    work: Path,
    conversion: Conversion,
    expected: Classifier,
    evidence: Evidence,
) -> dict[str, Any]:
    try:
        exporter.write(model, work, conversion)
        return prove(exporter, work / exporter.files[0], conversion.precision, expected, evidence)
    except InputError as error:
        if not any((work / file).exists() for file in exporter.files):
            raise  # of the call, not of what was written
        return {"precision": conversion.precision, "ok": False, "error": str(error)}
    except Exception as error:
        # Converters and runtimes fail in ways of their own; one that does has not proven its format.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return {"precision": conversion.precision, "ok": False, "error": f"does not convert or run: {reason}"}


def _sums(source: Path, name: str) -> str:
    paths = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    names = [name if path == source else f"{name}/{path.relative_to(source).as_posix()}" for path in paths]
    return "".join(f"{sha256_of(path)}  {called}\n" for path, called in zip(paths, names, strict=True))


def _example(classify: Classifier) -> dict[str, Any]:
    """What the model says of a face that anyone can make, to check an installation by."""
    (probabilities,) = classify(np.full((1, 48, 48, 1), 128, np.uint8))
    return {
        "faces": "np.full((1, 48, 48, 1), 128, np.uint8)",
        "probabilities": [round(float(p), 6) for p in probabilities],
    }


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
