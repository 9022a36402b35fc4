"""Decode once, keep as .npy files, memory-map ever after."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cache import cache_directory, expanded, publish
from .console import progress_line
from .errors import InputError
from .files.owned import remove_known
from .label_files import labels_source
from .readers import SPLITS, Decoded, Source, find_source

__all__ = ["SPLITS", "Faces", "decoded_faces", "open_faces"]

_FORMAT = 2  # of the cached files and of the rows the readers select; part of every key
_META = "meta.json"
_FILES = ("images.npy", "votes.npy", "split.npy", _META)


@dataclass(frozen=True, eq=False)
class Faces:
    """Every face of a data set, before the label protocol, ordered by split and name.

    Attributes:
        images: uint8 [N, 48, 48], read-only memory map.
        votes: uint8 [N, 10], columns as `labels.VOTE_COLUMNS`.
        split: uint8 [N], index into `SPLITS`.
        names: N image names; "" for a row that has none.
        fingerprint: sha256 (hex) of images, votes and split: the same data in another layout has the same.
        source: what the user named: "demo" or the absolute path.
        labels_source: the official label file that the votes are from, as `label_files.labels_source` tells it.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.uint8]
    split: NDArray[np.uint8]
    names: list[str]
    fingerprint: str
    source: str
    labels_source: str


def open_faces(data: str | Path, *, cache_dir: Path | None = None) -> Faces:
    """The faces of `data`, decoded on the first call and from the cache afterwards.

    The cache is keyed by the path and by size and modification time of every source file, checked against its
    fingerprint on opening, and rebuilt when it does not match. A decode that takes long shows its progress on
    stderr.

    Args:
        data: "demo", a folder or a pixel CSV, as in `readers.find_source`.
        cache_dir: by default as in `cache.cache_directory`.

    Raises:
        InputError: the data is missing or wrong, or the cache cannot be written.
    """
    source, folder, shown = _place(data, cache_dir)
    faces = _load(folder, shown)
    if faces is None:
        with progress_line(f"decoding {shown}") as progress:
            decoded = source.decode(progress)
        publish(
            folder,
            lambda part: _save(part, decoded),
            names=_FILES,
            whole=lambda part: _load(part, shown) is not None,
        )
        # Older decodes of the same path can never be asked for again.
        for stale in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"):
            if stale != folder:
                remove_known(stale, _FILES)
        faces = _load(folder, shown)
        if faces is None:
            raise InputError(
                f"{folder}: expected the decoded data just written, found other content; check the disk"
            )
    return faces


def decoded_faces(data: str | Path, *, cache_dir: Path | None = None) -> Faces | None:
    """As `open_faces`, but None where the faces would have to be decoded."""
    _, folder, shown = _place(data, cache_dir)
    return _load(folder, shown)


def _place(data: str | Path, cache_dir: Path | None) -> tuple[Source, Path, str]:
    """The source of `data`, the folder of its decoded faces, and what `Faces.source` calls it."""
    reader, source = find_source(data, cache_dir=cache_dir)
    try:
        name, stamp = _key(reader, source)
    except OSError as error:
        raise InputError(f"{data}: expected readable files, found: {error.strerror or error}") from error
    folder = cache_directory(cache_dir) / f"faces-{name}-{stamp}"
    return source, folder, reader if reader == str(data) else str(expanded(Path(data)).resolve())


def _key(reader: str, source: Source) -> tuple[str, str]:
    """Two hashes: of where the data is, and of the state of its files."""
    # surrogateescape: names of files need not be UTF-8.
    place = hashlib.sha256(f"{reader} {_FORMAT} {source.place.resolve()}".encode(errors="surrogateescape"))
    state = hashlib.sha256()
    for file in source.files():
        stat = os.stat(file)
        name = file.rsplit(os.sep, 2)[1:]
        state.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return place.hexdigest()[:16], state.hexdigest()[:16]


def _fingerprint(images: NDArray[np.uint8], votes: NDArray[np.uint8], split: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256()
    for array in (images, votes, split):
        digest.update(f"{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _save(folder: Path, decoded: Decoded) -> None:
    np.save(folder / "images.npy", decoded.images)
    np.save(folder / "votes.npy", decoded.votes)
    np.save(folder / "split.npy", decoded.split)
    fingerprint = _fingerprint(decoded.images, decoded.votes, decoded.split)
    (folder / _META).write_text(
        json.dumps(
            {
                "fingerprint": fingerprint,
                "names": decoded.names,
                "labels_source": labels_source(decoded.names, decoded.votes, decoded.split),
            }
        ),
        encoding="utf-8",
    )


def _load(folder: Path, source: str) -> Faces | None:
    """The faces in a cache folder, or None if anything about it is missing or damaged."""
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        images = np.load(folder / "images.npy", mmap_mode="r")
        votes, split = np.load(folder / "votes.npy"), np.load(folder / "split.npy")
        names, fingerprint, labels = list(meta["names"]), str(meta["fingerprint"]), str(meta["labels_source"])
        # Reading all of it costs about 0.1 s for FER+, and then a disk's silent damage cannot reach a model.
        sound = len(names) == len(images) and _fingerprint(images, votes, split) == fingerprint
    # Whatever numpy and json raise for a damaged file, an enormous shape in its header among them.
    except Exception:
        return None
    return Faces(images, votes, split, names, fingerprint, source, labels) if sound else None
