"""Checkpoints and exports, each opened in the runtime it is for. A kind of file is one file here and a line in `RUNTIMES`."""

from __future__ import annotations

from pathlib import Path

from ferplus_data.errors import InputError
from models.serving.classifier import Classifier, Opener, unreadable
from models.serving.runtimes import keras_archive, legacy_h5, litert, onnx, saved_model

RUNTIMES: dict[str, Opener] = {
    ".keras": keras_archive.open_classifier,
    ".onnx": onnx.open_classifier,
    ".tflite": litert.open_classifier,
    ".h5": legacy_h5.open_classifier,
    ".hdf5": legacy_h5.open_classifier,
    "": saved_model.open_classifier,
}
"""Suffix -> opens it. A folder, whatever its name, is a SavedModel: the line without a suffix."""

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy", ".npz")


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in `path`: uint8 faces [N, 48, 48, 1] -> float32 probabilities [N, 8].

    Nothing that stands in the file is run as Python code, and no name in it is used as a path.

    Raises:
        InputError: There is no such file, it is of another kind, damaged, holds code, or is no model of faces.
    """
    if not path.exists():
        raise InputError(
            f"checkpoint {path}: no such file; expected a .keras model, such as runs/STUDY/best/model.keras"
        )
    if path.is_dir():
        return _open("", path)
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            f"checkpoint {path}: a {path.suffix} file can hold a pickle, which runs code when it is read; give a .keras, "
            ".onnx or .tflite file"
        )
    if path.suffix.lower() not in RUNTIMES:
        kinds = ", ".join(suffix for suffix in RUNTIMES if suffix)
        raise InputError(
            f"checkpoint {path}: expected {kinds} or a SavedModel folder, found {path.suffix or 'no suffix'}"
        )
    return _open(path.suffix.lower(), path)


def _open(kind: str, path: Path) -> Classifier:
    try:
        return RUNTIMES[kind](path)
    except InputError:
        raise
    except Exception as error:  # a file that is whole and describes something no one thought of
        raise unreadable(path, f"{kind or 'SavedModel'} model", error) from error
