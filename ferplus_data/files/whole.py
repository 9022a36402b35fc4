"""Files that appear whole or not at all: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_ABANDONED_SECONDS = 3600.0
"""Age of a temporary file whose writer was killed: nothing here takes an hour to write."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give the block a temporary path beside `path`, with the same ending, and put what it wrote there in the place of `path`.

    The folder is made if need be. If the block fails, `path` stays as it was. What stands there and is no file (a device, a
    pipe) is written to, not replaced.

    Example:
        with writing(Path("scores.npz")) as temporary:
            np.savez(temporary, scores=scores)

    Raises:
        OSError: The place cannot be written to; its `filename` is `path`.
    """
    path = path.resolve() if path.is_symlink() else path
    temporary = path.with_name(f".writing-{secrets.token_hex(4)}-{path.name}")
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        yield temporary
        flush(temporary)
        if _is_stream(path):
            path.write_bytes(temporary.read_bytes())
        else:
            os.replace(temporary, path)
            _flush_folder(path.parent)
    except OSError as error:
        if error.filename == str(temporary):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, save: Callable[[Path], object]) -> Path:
    """Write `path` by `save`, which is given a temporary path to write to, and return it; see `writing`."""
    with writing(path) as temporary:
        save(temporary)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write `content` to `path`, whole or not at all, and return it."""
    return write_file(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> Path:
    """Write `text` in UTF-8, its line ends as they are, to `path`, whole or not at all, and return it."""
    return write_bytes(path, text.encode("utf-8", errors="surrogateescape"))


def write_json(path: Path, value: Any) -> Path:
    """Write `value` as JSON to `path`, whole or not at all, and return it."""
    return write_text(path, json.dumps(value, indent=2) + "\n")


def flush(path: Path) -> None:
    """Have the operating system write the file `path`, or every file in the folder `path`, to the disk."""
    for part in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if part.is_file():
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            _flush_folder(part)


def _flush_folder(folder: Path) -> None:
    # A rename is on the disk once its folder is. Windows opens no folders, and some network disks do not flush them.
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` that a killed process left."""
    ours = re.compile(rf"\.writing-[0-9a-f]{{8}}-{re.escape(path.name)}")
    for found in path.parent.iterdir():
        if ours.fullmatch(found.name):
            with contextlib.suppress(OSError):  # another process may do the same
                if time.time() - found.stat().st_mtime > _ABANDONED_SECONDS:
                    found.unlink()
