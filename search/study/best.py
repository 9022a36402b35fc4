"""A retrained model with what is known of it: model.keras, predictions.npz and metrics.json, always of one retraining."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferplus_data.console import program
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.owned import OwnFolder, sha256_of
from ferplus_data.files.shapes import NUMBER, read_json
from models.metrics.objectives import OBJECTIVES
from search.study.predictions import Predictions, write_predictions

if TYPE_CHECKING:
    import keras

MODEL, PREDICTIONS, METRICS = "model.keras", "predictions.npz", "metrics.json"
_NAMES = (MODEL, PREDICTIONS, METRICS)
CHOSEN = "chosen on these rows"
"""How a figure of anything is marked that was chosen by the rows it is a figure of."""
_SPLITS = {"val": NUMBER, "test?": NUMBER}
_OR_NONE = (*NUMBER, type(None))
_VALUES = {f"{name}?": NUMBER for name in OBJECTIVES}
_OBJECTIVES = {"val": _VALUES, "test?": _VALUES}
_EMOTIONS = [{"emotion": str, "precision": NUMBER, "recall": NUMBER, "f1": NUMBER, "support": int}]
_SHAPE = {
    "val_accuracy": NUMBER,
    "test_accuracy": _OR_NONE,
    "n_val": int,
    "n_test": (int, type(None)),
    **{f"{split}_accuracy_new_photographs?": _OR_NONE for split in ("val", "test")},
    **{f"n_{split}_new_photographs?": (int, type(None)) for split in ("val", "test")},
    "interval?": {"val": [NUMBER], "test?": [NUMBER]},
    "per_class": {"val": _EMOTIONS, "test?": _EMOTIONS},
    "confusion": {"val": [[int]], "test?": [[int]]},
    "macro_f1?": _SPLITS,
    "objectives?": _OBJECTIVES,
    "majority_class_rate?": _SPLITS,
    "protocols?": dict,
}
_OF_ONE_TRIAL = {
    "hyperparameters": dict,
    "trial": int,
    "seeds": [{"seed": int, "val_accuracy": NUMBER, "test_accuracy": _OR_NONE, "objectives?": _OBJECTIVES}],
    "retraining?": {"trial": int, "seeds": [int], "epochs": int},
    "objective?": str,
    "finalists?": [
        {
            "trial": int,
            "known_recipe": bool,
            "trial_score": _OR_NONE,
            "value_at_first_rung": NUMBER,
            "values": [NUMBER],
            "epochs": int,
        }
    ],
    "rank_correlation?": {"kendall_tau": _OR_NONE, "n": int, "epochs": int},
    "improvement?": {"statement": str},
    "improvement_test?": {"statement": str},
    "mean?": {"val_accuracy": NUMBER, "test_accuracy": _OR_NONE},
    "deviation?": {
        "val_accuracy": _OR_NONE,
        "test_accuracy": _OR_NONE,
    },
}

_BOUNDS = [
    *((f"n_{split}", 1, math.inf) for split in ("val", "test")),
    *((f"n_{split}_new_photographs", 0, math.inf) for split in ("val", "test")),
    *((f"{split}_accuracy{rows}", 0, 1) for split in ("val", "test") for rows in ("", "_new_photographs")),
]
"""Least and most of what a number of metrics.json can be."""


def check_place(folder: Path) -> None:
    """Raise InputError if `write_best` would replace a file in `folder` that no earlier retraining wrote."""
    OwnFolder(folder).check(_NAMES, "study's folder")


def write_best(
    folder: Path,
    model: keras.Model | Path,
    measure: Callable[[Path], Mapping[str, Any]],
    predictions: Mapping[str, Predictions] | None = None,
) -> dict[str, Any]:
    """Put the model, or a copy of the file of one, and what is known of it into `folder`, all at once, and return the content of
    metrics.json: what `measure` says of the file with the model, and model_sha256, its sum.

    Raises:
        InputError: There is a file in the way that no earlier retraining wrote.
    """
    from models.serving.model_files import save_model

    own = OwnFolder(folder)
    with own.filling() as work:
        if isinstance(model, Path):
            shutil.copyfile(model, work / MODEL)
        else:
            save_model(model, work / MODEL)
        if predictions is not None:
            write_predictions(work / PREDICTIONS, predictions)
        written = {**measure(work / MODEL), "model_sha256": sha256_of(work / MODEL)}
        write_json(work / METRICS, written)
        own.put(work, [name for name in _NAMES if (work / name).exists()])
    return written


def read_metrics(folder: Path, *, of_one_trial: bool = True) -> dict[str, Any] | None:
    """Return the content of metrics.json in `folder`, None if there is none yet.

    Raises:
        InputError: It is damaged.
    """
    OwnFolder(folder).settle()
    if not (folder / METRICS).exists():
        return None
    shape = {**_SHAPE, **_OF_ONE_TRIAL} if of_one_trial else _SHAPE
    what, otherwise = "the figures of a retraining", f"remove it, and retrain with: {program()} retrain"
    metrics: dict[str, Any] = read_json(folder / METRICS, shape, what=what, otherwise=otherwise)
    for name, least, most in _BOUNDS:
        value = metrics.get(name)
        if value is not None and not least <= value <= most:
            raise InputError(f"{folder / METRICS}: expected {what}, found: {name} = {value}; {otherwise}")
    return metrics
