"""The three splits with their labels: what training and evaluation see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .labels import EMOTIONS, TARGETS, majority_labels
from .store import SPLITS, Faces, open_faces


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split that the label protocol keeps.

    Attributes:
        images: every image of the data set, uint8 [N, 48, 48], memory-mapped.
        rows: int64 [n], ascending: which images are this split's.
        labels: int64 [n], majority labels 0..7.
        votes: uint8 [n, 10].
        twin: bool [n]. In val and test: the image is byte-identical to a kept training image. In train: it
            repeats an earlier kept training image. Marked on the full split, before `subset` and `dedupe`, so
            that "without twins" names the same rows whatever a study trained on.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    votes: NDArray[np.uint8]
    twin: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self) -> NDArray[np.uint8]:
        """All images of the split in memory: uint8 [n, 48, 48, 1], 0..255."""
        return np.asarray(self.images[self.rows])[..., None]

    def targets(self, kind: str) -> NDArray[np.float32]:
        """Training targets float32 [n, 8]; `kind` is a name in `labels.TARGETS`."""
        return TARGETS[kind](self.votes)

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """Rows per emotion, int64 [8]."""
        return np.bincount(self.labels, minlength=len(EMOTIONS))

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Split:
        """The split made of some of its rows: ascending positions int64, or a mask bool [n]."""
        return Split(
            self.images, self.rows[chosen], self.labels[chosen], self.votes[chosen], self.twin[chosen]
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """The three splits; `fingerprint` and `source` are those of the whole data, as in `store.Faces`."""

    train: Split
    val: Split
    test: Split
    fingerprint: str
    source: str

    @property
    def class_counts(self) -> dict[str, NDArray[np.int64]]:
        """Split name -> rows per emotion, int64 [8]."""
        return {name: getattr(self, name).class_counts for name in SPLITS}


def load_dataset(
    data: str | Path,
    *,
    subset: float = 1.0,
    dedupe: bool = False,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Dataset:
    """Read `data`, keep what the label protocol keeps, and divide it by the official splits.

    Args:
        data: "demo", a folder or a pixel CSV, as in `readers.find_source`.
        subset: share of every class in every split to keep, 0 < subset <= 1; at least one row of each class
            that the split has. A smaller subset of the same seed is part of a larger one.
        dedupe: drop from train every image that also stands in val or test, and every repeat of an earlier
            one.
        seed: of the subset's choice.
        cache_dir: by default as in `cache.cache_directory`.

    Raises:
        InputError: as `store.open_faces`; `subset` is out of range; a split is empty after the drops.
    """
    if not 0 < subset <= 1:
        raise InputError(f"subset: expected a fraction above 0 and up to 1, found {subset}; 1 uses all rows")
    faces = open_faces(data, cache_dir=cache_dir)
    splits = _splits(faces)
    if dedupe:
        elsewhere = _contents(splits[1]) | _contents(splits[2])
        standing = np.array([content in elsewhere for content in _iterate(splits[0])], dtype=bool)
        splits[0] = splits[0].take(~splits[0].twin & ~standing)
        _refuse_empty(splits, data, "after --dedupe dropped repeats and images of val and test from train")
    train, val, test = (stratified(split, subset, (seed, index)) for index, split in enumerate(splits))
    return Dataset(train, val, test, faces.fingerprint, faces.source)


def _splits(faces: Faces) -> list[Split]:
    """Train, val and test as the protocol keeps them, twins marked."""
    labels = majority_labels(faces.votes)
    splits = []
    for index in range(len(SPLITS)):
        rows = np.flatnonzero((faces.split == index) & (labels >= 0))
        twin = np.zeros(len(rows), dtype=bool)
        splits.append(Split(faces.images, rows, labels[rows], faces.votes[rows], twin))
    _refuse_empty(
        splits, faces.source, f"of {len(labels)} rows after the label protocol dropped {(labels < 0).sum()}"
    )
    seen: set[bytes] = set()
    for position, content in enumerate(_iterate(splits[0])):
        splits[0].twin[position] = content in seen
        seen.add(content)
    for split in splits[1:]:
        split.twin[:] = [content in seen for content in _iterate(split)]
    return splits


def _iterate(split: Split) -> list[bytes]:
    """Each image's bytes, to compare images by."""
    return [image.tobytes() for image in split.pixels()]


def _contents(split: Split) -> set[bytes]:
    return set(_iterate(split))


def stratified(split: Split, subset: float, seed: tuple[int, int]) -> Split:
    """The same share of every class; which rows of a class depends on the seed and that class alone."""
    if subset == 1:
        return split
    chosen = []
    for label in np.unique(split.labels):
        positions = np.flatnonzero(split.labels == label)
        count = max(1, round(subset * len(positions)))
        chosen.append(np.random.default_rng((*seed, int(label))).permutation(positions)[:count])
    return split.take(np.sort(np.concatenate(chosen)))


def _refuse_empty(splits: Sequence[Split], data: str | Path, when: str) -> None:
    for name, split in zip(SPLITS, splits, strict=True):
        if not len(split):
            raise InputError(
                f"{data}: expected at least one row in the {name} split, found none {when}; add rows"
            )
