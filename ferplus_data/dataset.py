"""The three splits with their labels: what training and evaluation see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .label_files import OTHER
from .labels import EMOTIONS, PROTOCOLS, TARGETS
from .photographs.cached import are_numbered, photographs_of
from .photographs.identical import identical
from .readers import demo
from .store import SPLITS, Faces, decoded_faces, open_faces


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split that a protocol keeps.

    Attributes:
        images: every image of the data set, uint8 [N, 48, 48], memory-mapped.
        rows: int64 [n], ascending: which images are this split's.
        labels: int64 [n], 0..7; in `Dataset.val_of_any_protocol` also -1, where the training protocol drops the row.
        votes: uint8 [n, 10].
        photographs: int32 [n], equal where faces, of whatever split, show the same photograph.
        in_training: bool [n]. In val and test: a kept training row shows the same photograph. In train: an earlier kept
            row does. Marked on the full split, before `subset` and `dedupe`, so that "new photographs" names the
            same rows whatever a study trained on.
        in_evaluation: bool [n], whether a row of val or test shows the same photograph: of the other one, in those two.
            Rows count that any protocol keeps.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    votes: NDArray[np.uint8]
    photographs: NDArray[np.int32]
    in_training: NDArray[np.bool_]
    in_evaluation: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self) -> NDArray[np.uint8]:
        """All images of the split in memory: uint8 [n, 48, 48, 1], 0..255."""
        return np.asarray(self.images[self.rows])[..., None]

    def targets(self, kind: str) -> NDArray[np.float32]:
        """Training targets float32 [n, 8]; `kind` is a name in `labels.TARGETS`."""
        return TARGETS[kind](self.votes, self.labels)

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """Rows per emotion, int64 [8]."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(EMOTIONS))

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Split:
        """The split made of some of its rows: ascending positions int64, or a mask bool [n]."""
        return Split(
            self.images,
            self.rows[chosen],
            self.labels[chosen],
            self.votes[chosen],
            self.photographs[chosen],
            self.in_training[chosen],
            self.in_evaluation[chosen],
        )

    def under(self, protocol: str) -> tuple[Split, NDArray[np.bool_]]:
        """What another protocol makes of these rows.

        Returns:
            The rows that it keeps with the labels that it gives, and which of these rows they are, bool [n].

        Example:
            >>> official, chosen = load_dataset("demo").val_of_any_protocol.under("cntk")
            >>> len(official) == chosen.tolist().count(True)
            True
        """
        labels = PROTOCOLS[protocol](self.votes)
        kept = labels >= 0
        return replace(self, labels=labels).take(kept), kept


class HeldOut:
    """A split without its labels: its faces, and what is known of it as a whole.

    What compares a model with the labels takes them from `reveal_labels`, and writes down that it has.

    Attributes:
        rows, photographs, in_training, in_evaluation: as in `Split`.
        class_counts: rows per emotion, int64 [8].
    """

    def __init__(self, split: Split) -> None:
        self._split = split
        self.rows, self.photographs = split.rows, split.photographs
        self.in_training, self.in_evaluation = split.in_training, split.in_evaluation
        self.class_counts = split.class_counts

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self) -> NDArray[np.uint8]:
        """All images of the split in memory: uint8 [n, 48, 48, 1], 0..255."""
        return self._split.pixels()

    def summary(self) -> dict[str, Any]:
        """`summary.summarise` of the split: counts, without any model."""
        from .summary import summarise

        return summarise(self._split)

    def reveal_labels(self) -> Split:
        """The split with its labels."""
        return self._split


@dataclass(frozen=True, eq=False)
class Dataset:
    """The three splits as the training protocol keeps them, and what is known of the whole data.

    Attributes:
        train, val, test: the splits, the last one without its labels.
        fingerprint, source, labels_source: as in `store.Faces`.
        protocol: the key of `labels.PROTOCOLS` that the splits were made by.
        val_of_any_protocol, test_of_any_protocol: the rows that any protocol keeps, for evaluation under each of them
            (`Split.under`); a label is -1 where the training protocol drops the row.
        kept: protocol -> rows that it keeps of train, val and test, before `subset` and `dedupe`.
    """

    train: Split
    val: Split
    test: HeldOut
    val_of_any_protocol: Split
    test_of_any_protocol: HeldOut
    fingerprint: str
    source: str
    labels_source: str = OTHER
    protocol: str = "baseline"
    kept: dict[str, list[int]] = field(default_factory=dict)

    @property
    def class_counts(self) -> dict[str, NDArray[np.int64]]:
        """Split name -> rows per emotion, int64 [8]."""
        return {name: getattr(self, name).class_counts for name in SPLITS}

    @property
    def train_without_copies(self) -> Split:
        """The training rows whose photograph stands in neither val nor test, on which a choice made on val may train."""
        return self.train.take(~self.train.in_evaluation)


def load_dataset(
    data: str | Path,
    *,
    subset: float = 1.0,
    dedupe: bool = False,
    seed: int = 0,
    protocol: str = "baseline",
    cache_dir: Path | None = None,
) -> Dataset:
    """Read `data`, keep what the label protocol keeps, and divide it by the official splits.

    Args:
        data: "demo", a folder or a pixel CSV, as in `readers.find_source`.
        subset: share of every class in every split to keep, 0 < subset <= 1; at least one row of each class
            that the split has. A smaller subset of the same seed is part of a larger one.
        dedupe: drop from train every face whose photograph also stands in val or test, or in an earlier kept row.
        seed: of the subset's choice.
        protocol: the key of `labels.PROTOCOLS` that says which rows stay and what their labels are.
        cache_dir: by default as in `cache.cache_directory`.

    Raises:
        InputError: as `store.open_faces`; `subset` is out of range; no such protocol; a split is empty after the drops.

    Example:
        >>> dataset = load_dataset("demo")
        >>> len(dataset.train), len(dataset.val), len(dataset.test)
        (1931, 391, 385)
        >>> dataset.val.pixels().shape, dataset.val.pixels().dtype
        ((391, 48, 48, 1), dtype('uint8'))
    """
    if not 0 < subset <= 1:
        raise InputError(f"subset: expected a fraction above 0 and up to 1, found {subset}; 1 uses all rows")
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol: expected one of {', '.join(PROTOCOLS)}, found {protocol!r}; choose one")
    faces = open_faces(data, cache_dir=cache_dir)
    every = _splits(faces, _photographs(faces, cache_dir), protocol)
    kept = [split.take(split.labels >= 0) for split in every]
    dropped = len(faces.split) - sum(map(len, kept))
    _refuse_empty(
        kept, faces.source, f"of {len(faces.split)} rows after the label protocol dropped {dropped}"
    )
    if dedupe:
        train = kept[0]
        kept[0] = train.take(~train.in_training & ~train.in_evaluation)
        _refuse_empty(kept, data, "after --dedupe dropped repeats and photographs of val and test from train")
    train, val, test = (stratified(split, subset, (seed, index)) for index, split in enumerate(kept))
    any_val, any_test = (stratified(every[index], subset, (seed, index)) for index in (1, 2))
    return Dataset(
        train,
        val,
        HeldOut(test),
        any_val,
        HeldOut(any_test),
        faces.fingerprint,
        faces.source,
        faces.labels_source,
        protocol,
        rows_kept(faces),
    )


def is_prepared(data: str | Path, *, cache_dir: Path | None = None) -> bool:
    """Whether `load_dataset` finds in the cache what takes it long the first time: decoded faces, numbers of photographs."""
    faces = decoded_faces(data, cache_dir=cache_dir)
    return faces is not None and (
        faces.source == demo.NAME or are_numbered(faces.images, cache_dir=cache_dir)
    )


def _photographs(faces: Faces, cache_dir: Path | None) -> NDArray[np.int32]:
    if faces.source == demo.NAME:  # nobody has cropped or scaled a drawn face
        return identical(faces.images)[1]
    return photographs_of(faces.images, cache_dir=cache_dir)


def rows_kept(faces: Faces) -> dict[str, list[int]]:
    """Protocol -> rows that it keeps of train, val and test."""
    splits = len(SPLITS)
    return {
        name: np.bincount(faces.split[rule(faces.votes) >= 0], minlength=splits)[:splits].tolist()
        for name, rule in PROTOCOLS.items()
    }


def _splits(faces: Faces, photographs: NDArray[np.int32], protocol: str) -> list[Split]:
    """Train, val and test with every row that any protocol keeps, and where else its photograph stands."""
    labels = PROTOCOLS[protocol](faces.votes)
    kept_by_any = np.any([rule(faces.votes) >= 0 for rule in PROTOCOLS.values()], axis=0)
    rows = [np.flatnonzero((faces.split == index) & kept_by_any) for index in range(len(SPLITS))]
    train, val, test = rows
    trained = photographs[train[labels[train] >= 0]]
    first = np.zeros(len(photographs), dtype=bool)
    first[train[labels[train] >= 0][np.unique(trained, return_index=True)[1]]] = True
    in_training = np.isin(photographs, trained) & ~first
    elsewhere = (
        np.isin(photographs[train], photographs[np.concatenate([val, test])]),
        np.isin(photographs[val], photographs[test]),
        np.isin(photographs[test], photographs[val]),
    )
    return [
        Split(
            faces.images, here, labels[here], faces.votes[here], photographs[here], in_training[here], other
        )
        for here, other in zip(rows, elsewhere, strict=True)
    ]


def stratified(split: Split, subset: float, seed: tuple[int, int]) -> Split:
    """The same share of every class; which rows of a class depends on the seed and that class alone.

    Rows without a label (-1) are a class here.
    """
    if subset == 1:
        return split
    chosen = []
    for label in np.unique(split.labels).tolist():
        positions = np.flatnonzero(split.labels == label)
        count = max(1, round(subset * len(positions)))
        stream = (*seed, label if label >= 0 else len(EMOTIONS))
        chosen.append(np.random.default_rng(stream).permutation(positions)[:count])
    return split.take(np.sort(np.concatenate(chosen)))


def _refuse_empty(splits: Sequence[Split], data: str | Path, when: str) -> None:
    for name, split in zip(SPLITS, splits, strict=True):
        if not len(split):
            raise InputError(
                f"{data}: expected at least one row in the {name} split, found none {when}; add rows"
            )
