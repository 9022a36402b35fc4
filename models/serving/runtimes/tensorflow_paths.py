"""Paths that TensorFlow can take: it looks for a SavedModel's files by patterns, in which a bracket or a star is not a name."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ferplus_data.errors import InputError

_OF_PATTERNS = frozenset("*?[]{}\\")


@contextlib.contextmanager
def readable_by_tensorflow(folder: Path) -> Iterator[Path]:
    """Give the path of `folder`, or of a copy of it that is gone after the block if its own path reads as a pattern."""
    if not _strange_in(folder):
        yield folder
        return
    with _plain_folder(folder) as temporary:
        yield Path(shutil.copytree(folder, temporary / "saved_model"))


@contextlib.contextmanager
def writable_by_tensorflow(folder: Path) -> Iterator[Path]:
    """Give the path of `folder`, which does not exist, or of one whose content is moved there after the block."""
    if not _strange_in(folder):
        yield folder
        return
    with _plain_folder(folder) as temporary:
        yield temporary / "saved_model"
        shutil.move(temporary / "saved_model", folder)


@contextlib.contextmanager
def _plain_folder(instead_of: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ferplus-") as temporary:
        if _strange_in(Path(temporary)):
            raise InputError(
                f"{instead_of}: TensorFlow takes {' '.join(_strange_in(instead_of))} in the path of a SavedModel for a pattern, "
                f"and {Path(temporary).parent}, for temporary files, is no way around it; rename a folder or set TMPDIR"
            )
        yield Path(temporary)


def _strange_in(path: Path) -> list[str]:
    """The characters of patterns in the path, each once."""
    return sorted(_OF_PATTERNS & set(path.absolute().as_posix()))
