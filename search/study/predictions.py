"""best/predictions.npz: what the retrained model said of the validation faces, and of the test faces if they were measured."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferplus_data.console import program
from ferplus_data.dataset import Split
from ferplus_data.errors import InputError
from ferplus_data.files import write_file

SPLITS = ("val", "test")


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions for the n rows of one split.

    Attributes:
        probabilities: float32 [n, 8], rows sum to 1.
        labels: int64 [n], majority labels 0..7.
        votes: uint8 [n, 10], columns as `ferplus_data.labels.VOTE_COLUMNS`.
        rows: int64 [n], which images of the data set these are.
        in_training: bool [n], whether training shows the same photograph.
        images: uint8 [n, 48, 48].
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    votes: NDArray[np.uint8]
    rows: NDArray[np.int64]
    in_training: NDArray[np.bool_]
    images: NDArray[np.uint8]

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], split: Split) -> Predictions:
        """Return the `probabilities` of `split` with all that the split knows of its rows."""
        return cls(
            probabilities,
            split.labels,
            split.votes,
            split.rows,
            split.in_training,
            np.asarray(split.images[split.rows]),
        )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The likeliest emotion of each row, int64 [n]."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """Share of rows whose likeliest emotion is the label."""
        return float((self.predicted == self.labels).mean())


def write_predictions(path: Path, predictions: Mapping[str, Predictions]) -> None:
    """Write the predictions of each split to `path` (compressed .npz, arrays SPLIT_FIELD), whole or not at all."""
    arrays = {
        f"{split}_{field.name}": getattr(of_split, field.name)
        for split, of_split in predictions.items()
        for field in fields(Predictions)
    }
    write_file(path, lambda temporary: np.savez_compressed(temporary, allow_pickle=False, **arrays))


def read_predictions(path: Path) -> dict[str, Predictions]:
    """Return split -> predictions of the file `path`; an empty dict if there is none.

    Raises:
        InputError: It is no such file.
    """
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {
                split: Predictions(
                    *(arrays[_key(arrays, split, field.name)] for field in fields(Predictions))
                )
                for split in SPLITS
                if split == "val" or f"{split}_labels" in arrays
            }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: expected predictions that a retraining wrote, found: {error}; remove it, or retrain with: "
            f"{program()} retrain"
        ) from error


def _key(arrays: Mapping[str, NDArray], split: str, name: str) -> str:
    """The array of a field. Files from before photographs were told apart name byte-identical images, as twin."""
    key = f"{split}_{name}"
    return f"{split}_twin" if name == "in_training" and key not in arrays else key
