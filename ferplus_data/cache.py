"""Where decoded data is kept, and how a folder appears there: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError
from .files import flush
from .files.owned import remove_known

ENV = "FERPLUS_CACHE"


def cache_directory(cache_dir: Path | None = None) -> Path:
    """`cache_dir` if given, else the environment's FERPLUS_CACHE, else ~/.cache/ferplus-tuner.

    Raises:
        InputError: it lies in a home directory and there is none, as in a container run under an unknown user id.
    """
    folder = Path(cache_dir or os.environ.get(ENV) or "~/.cache/ferplus-tuner")
    try:
        return expanded(folder)
    except RuntimeError as error:
        raise InputError(
            f"{folder}: expected a home directory for the cache of decoded data, found none; set the environment "
            f"variable {ENV} to a writable folder"
        ) from error


def expanded(path: Path) -> Path:
    """`path` with a leading ~ replaced; others are as they are, and need no home directory.

    Raises:
        RuntimeError: the home directory is not known.
    """
    return path.expanduser() if str(path).startswith("~") else path


def publish(
    folder: Path, write: Callable[[Path], None], *, names: Iterable[str], whole: Callable[[Path], bool]
) -> None:
    """Make `folder` by writing a temporary sibling and renaming it, so that no reader ever sees a part of it.

    Args:
        folder: the folder to make. One that stands there, is not `whole` and holds nothing but files of these names is replaced.
        write: fills the (existing, empty) folder it is given.
        names: of the files it writes.
        whole: whether a folder is complete. If another process published a whole one first, that one stays.

    Raises:
        InputError: the cache cannot be written (no permission, no space, a file in the way).
    """
    with writable(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with writable(folder.parent):
            write(temporary)
            # mkdtemp gives 0700; a cache shared by several users keeps what the umask allows.
            temporary.chmod(0o777 & ~_umask())
            flush(temporary)
            if folder.exists() and not whole(folder):
                remove_known(folder, names)
            try:
                os.replace(temporary, folder)
            except OSError:
                # Another process renamed its own in between. A folder cannot be renamed over a full one.
                if not whole(folder):
                    raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writable(parent: Path) -> Iterator[None]:
    """Turn what the file system says about the cache into a line that names the way out."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{parent}: expected a folder where decoded data can be cached, "
            f"found: {error.strerror or error}; set the environment variable {ENV} to a writable folder"
        ) from error


def _umask() -> int:
    """The process's umask, which the operating system only tells by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
