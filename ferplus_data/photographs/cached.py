"""The numbers of photographs, kept beside the decoded faces."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cache import cache_directory, publish, writable
from ..console import progress_line
from ..files.locks import locked

_FORMAT = 1  # of the file and of how photographs are told; part of the key
_NUMBERS, _META = "numbers.npy", "meta.json"


def photographs_of(images: NDArray[np.uint8], *, cache_dir: Path | None = None) -> NDArray[np.int32]:
    """The photograph numbers of `images`, as `grouping.photograph_numbers`, found once for the same images.

    FER+ takes minutes on two cores, with progress on stderr. Interrupted, it is begun again by the next call; two
    processes do not do it twice.

    Args:
        images: uint8 [N, 48, 48].
        cache_dir: by default as in `cache.cache_directory`.

    Raises:
        InputError: the cache cannot be written.
    """
    folder = _folder(images, cache_dir)
    if (numbers := _load(folder, len(images))) is not None:
        return numbers
    with writable(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if (numbers := _load(folder, len(images))) is None:
            from .grouping import photograph_numbers  # OpenCV and scipy, which hardly any command needs

            with progress_line("finding faces of the same photograph, once") as progress:
                numbers = photograph_numbers(images, progress)
            publish(
                folder,
                lambda part: _save(part, numbers),
                names=(_NUMBERS, _META),
                whole=lambda part: _load(part, len(images)) is not None,
            )
    return numbers


def are_numbered(images: NDArray[np.uint8], *, cache_dir: Path | None = None) -> bool:
    """Whether `photographs_of` has the numbers of these images already."""
    return _load(_folder(images, cache_dir), len(images)) is not None


def _folder(images: NDArray[np.uint8], cache_dir: Path | None) -> Path:
    digest = hashlib.sha256(f"{_FORMAT} {images.shape}".encode())
    digest.update(np.ascontiguousarray(images).data)
    return cache_directory(cache_dir) / f"photographs-{digest.hexdigest()[:16]}"


def _save(folder: Path, numbers: NDArray[np.int32]) -> None:
    np.save(folder / _NUMBERS, numbers)
    (folder / _META).write_text(json.dumps({"sha256": _sum(numbers)}), encoding="utf-8")


def _sum(numbers: NDArray[np.int32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers).data).hexdigest()


def _load(folder: Path, count: int) -> NDArray[np.int32] | None:
    """The numbers in a cache folder, or None if anything about it is missing or damaged."""
    try:
        numbers = np.load(folder / _NUMBERS)
        sound = (
            len(numbers) == count
            and _sum(numbers) == json.loads((folder / _META).read_text(encoding="utf-8"))["sha256"]
        )
    # Whatever numpy and json raise for a damaged file.
    except Exception:
        return None
    return numbers if sound else None
