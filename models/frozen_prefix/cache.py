"""Activations of frozen prefixes on disk, shared by every trial and worker of a machine.

One folder per entry, named after the fingerprint of all that determines its content: activations.npy (float16, memory-mapped by
readers) and meta.json (what it is, its scale and its checksum). A folder appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.cache import cache_directory, publish
from ferplus_data.errors import InputError
from ferplus_data.files.locks import locked
from ferplus_data.files.owned import remove_known

_FORMAT = 1
_NAME = re.compile(r"[0-9a-f]{40}")
_ARRAY, _META = "activations.npy", "meta.json"
_CHECK_BYTES = 16 * 2**20
# Where the largest value of the first chunk is below 1 or above this, it is scaled to this: later ones may be 2**9 times greater
# before float16 (65,504) ends, and values 2**-21 of it still have all of float16's bits.
_SCALED_TO = 2.0**7
_DEFAULT_SHARE, _DEFAULT_MOST = 0.5, 100 * 10**9


class CacheError(RuntimeError):
    """An entry cannot be had; the message says why. The same training goes on without it."""


@dataclass(frozen=True)
class Activations:
    """The activations of some images, one row each.

    Attributes:
        values: float16 [N, ...], read-only memory map.
        scale: what they have to be multiplied with, a power of two.
        seconds: what it took to compute them.
    """

    values: NDArray[np.float16]
    scale: float
    seconds: float

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.floating]:
        """Rows of the activations: float16, or float32 where they had to be scaled."""
        chosen = np.take(self.values, rows, axis=0)
        return chosen if self.scale == 1 else np.multiply(chosen, self.scale, dtype=np.float32)


class PrefixCache:
    """The entries in a directory, at most `max_bytes` of them; the least recently used makes room.

    Args:
        directory: Default: `prefix` in `ferplus_data.cache.cache_directory`.
        max_bytes: Default: half of the free disk, at most 100 GB. 0: nothing is kept.
    """

    def __init__(self, directory: Path | None = None, max_bytes: int | None = None) -> None:
        self.directory = directory or cache_directory() / "prefix"
        self._max_bytes = max_bytes
        self._checked: set[Path] = set()

    @property
    def max_bytes(self) -> int:
        if self._max_bytes is None:
            existing = next(path for path in (self.directory, *self.directory.parents) if path.exists())
            free = shutil.disk_usage(existing).free + sum(size for _, size, _ in self._entries())
            self._max_bytes = int(min(_DEFAULT_SHARE * free, _DEFAULT_MOST))
        return self._max_bytes

    def has(self, identity: Mapping[str, Any]) -> bool:
        """Whether there is an entry, without reading it."""
        return (self._folder(identity) / _META).exists()

    def get(
        self,
        identity: Mapping[str, Any],
        rows: int,
        compute: Callable[[], Iterable[NDArray]],
        on_wait: Callable[[], None] = lambda: None,
    ) -> Activations:
        """Return the entry of `identity`; if there is none, make it, or wait for the process that is making it.

        Args:
            identity: All that determines the content, as plain values.
            rows: N.
            compute: Chunks of the content in order, float [n, ...], N rows together.
            on_wait: Called once if another process is found at it.

        Raises:
            CacheError: The entry is damaged (it is then removed), larger than there is room for, or cannot be written or read.
        """
        folder = self._folder(identity)
        try:
            with self._building(folder, on_wait):
                if not (folder / _META).exists():
                    publish(
                        folder,
                        lambda temporary: self._write(temporary, identity, rows, compute()),
                        names=(_ARRAY, _META),
                        whole=lambda path: (path / _META).exists(),
                    )
                    self._checked.add(folder)
            return self._open(folder, rows)
        except (OSError, NotImplementedError, InputError) as error:  # also of a file system without locks
            raise CacheError(" ".join(str(error).split())) from error

    def _folder(self, identity: Mapping[str, Any]) -> Path:
        text = json.dumps({"format": _FORMAT, **identity}, sort_keys=True)
        return self.directory / hashlib.sha256(text.encode()).hexdigest()[:40]

    @contextlib.contextmanager
    def _building(self, folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the entry's lock, which a process loses when it dies, unless the entry is there."""
        if (folder / _META).exists():
            yield
            return
        with locked(folder.with_suffix(".lock"), on_wait=on_wait):
            yield

    def _write(self, folder: Path, identity: Mapping[str, Any], rows: int, chunks: Iterable[NDArray]) -> None:
        scale, written, checksum, began = 1.0, 0, 0, time.monotonic()
        # Written, not mapped: a full disk is then an error and not a signal that ends the process.
        with (folder / _ARRAY).open("wb") as file:
            for chunk in chunks:
                if written == 0:
                    largest = float(np.abs(chunk).max(initial=0))
                    if not np.isfinite(largest):
                        raise CacheError("the prefix gives values that are not finite")
                    if not 1 <= largest <= _SCALED_TO and largest > 0:
                        scale = float(2.0 ** np.ceil(np.log2(largest / _SCALED_TO)))
                    self._make_room(2 * rows * chunk[0].size)
                    np.lib.format.write_array_header_1_0(
                        file,
                        {"descr": "<f2", "fortran_order": False, "shape": (rows, *chunk.shape[1:])},
                    )
                with np.errstate(over="ignore"):
                    stored = np.ascontiguousarray(chunk / np.float32(scale), dtype=np.float16)
                if not np.isfinite(stored).all():
                    raise CacheError("the prefix gives values too far apart for float16")
                file.write(stored.data)
                checksum = zlib.crc32(stored.data, checksum)
                written += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        if written != rows:
            raise CacheError(f"expected {rows} rows of activations, found {written}")
        meta = {
            "scale": scale,
            "checksum": checksum,
            "rows": rows,
            "seconds": time.monotonic() - began,
            "identity": dict(identity),
        }
        (folder / _META).write_text(json.dumps(meta, indent=2), encoding="utf-8")

    def _open(self, folder: Path, rows: int) -> Activations:
        try:
            meta = json.loads((folder / _META).read_text(encoding="utf-8"))
            mapped = np.load(folder / _ARRAY, mmap_mode="r")
            values = mapped.view(np.ndarray)
            if len(values) != rows or values.dtype != np.float16 or meta["rows"] != rows:
                raise ValueError(f"expected float16 [{rows}, ...], found {values.dtype} {values.shape}")
            if folder not in self._checked:  # once a process
                if _checksum(folder / _ARRAY, mapped.offset) != meta["checksum"]:
                    raise ValueError("its checksum differs")
                self._checked.add(folder)
            os.utime(folder / _META)  # for the eviction
        except (ValueError, KeyError, EOFError) as error:
            remove_known(folder, (_ARRAY, _META))
            raise CacheError(f"the cached activations in {folder} are damaged ({error})") from error
        return Activations(values, meta["scale"], meta["seconds"])

    def _make_room(self, needed: int) -> None:
        """Remove the least recently used entries until `needed` bytes fit."""
        if needed > self.max_bytes:
            raise CacheError(
                f"{needed / 1e9:.1f} GB of activations are more than the {self.max_bytes / 1e9:.1f} GB there are for them"
            )
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        for _, size, folder in entries:
            if total + needed <= self.max_bytes:
                break
            remove_known(folder, (_ARRAY, _META))
            self._checked.discard(folder)
            total -= size

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """(last use, bytes, folder) of every entry."""
        for meta in self.directory.glob(f"*/{_META}"):
            if not _NAME.fullmatch(meta.parent.name):
                continue
            with contextlib.suppress(FileNotFoundError):  # another process makes room, too
                yield meta.stat().st_mtime, (meta.parent / _ARRAY).stat().st_size, meta.parent


def _checksum(path: Path, offset: int) -> int:
    checksum = 0
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHECK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
