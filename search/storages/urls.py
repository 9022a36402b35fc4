"""Database URLs that a study can be stored at, told from those that would fail later."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy

from ferplus_data.errors import InputError

SERVED = "sqlite:///FILE, postgresql+psycopg://USER@HOST/DATABASE or grpc://HOST:PORT"
_BACKENDS = ("sqlite", "postgresql")


def check_url(url: str, shown: str) -> None:
    """Raise InputError if no study can be stored at `url`, without connecting to it or creating anything.

    Args:
        url: As for `search.storages.registry.open_storage`.
        shown: What messages show of it, without its password.
    """
    if url.startswith("grpc://"):
        _check_proxy(url, shown)
        return
    try:
        made = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InputError(f"storage {shown}: expected {SERVED}, found no URL of a database") from None
    if made.get_backend_name() not in _BACKENDS:
        raise InputError(f"storage {shown}: expected {SERVED}, found {made.get_backend_name()}")
    try:
        dialect = made.get_dialect()
        dialect.import_dbapi()
    except (sqlalchemy.exc.NoSuchModuleError, ImportError) as error:
        raise InputError(
            f"storage {shown}: expected a driver that is installed, found: {' '.join(str(error).split())}; for PostgreSQL: "
            "pip install -r requirements-postgresql.txt"
        ) from error
    if dialect.is_async:
        raise InputError(
            f"storage {shown}: expected a driver that waits for its answers, found {made.get_driver_name()}; leave it out of "
            "the URL"
        )
    if made.get_backend_name() == "sqlite":
        _check_file(made, shown)


def _check_proxy(url: str, shown: str) -> None:
    try:
        parts = urlsplit(url)
        fine = bool(parts.hostname and parts.port)
    except ValueError:
        fine = False
    if not fine:
        raise InputError(f"storage {shown}: expected grpc://HOST:PORT")


def _check_file(url: sqlalchemy.URL, shown: str) -> None:
    """Raise InputError unless the SQLite database is a file that can be written, or one that can be made."""
    name, settings = url.database or "", {key: str(value) for key, value in url.query.items()}
    if name.startswith("file:"):
        parts = urlsplit(name)
        settings |= {key: values[-1] for key, values in parse_qs(parts.query).items()}
        name = unquote(parts.path)
    if (
        not name
        or name.startswith(":memory:")
        or settings.get("mode") == "memory"
        or settings.get("vfs") == "memdb"
    ):
        raise InputError(
            f"storage {shown}: expected a database that every process and connection shares, found one in the memory of one "
            "connection; give sqlite:///FILE"
        )
    if settings.get("mode") == "ro" or "immutable" in settings:
        raise InputError(f"storage {shown}: expected a database that can be written, found a read-only one")
    file = Path(name)
    if file.is_dir() or (file.exists() and not _is_database(file)):
        kind = "a folder" if file.is_dir() else "another file"
        raise InputError(f"storage {shown}: expected a SQLite database at {file}, found {kind}")
    if not file.parent.is_dir():
        raise InputError(f"storage {shown}: expected the folder {file.parent}, found none")
    # SQLite writes its journal beside the database.
    for place in (file, file.parent) if file.exists() else (file.parent,):
        if not os.access(place, os.W_OK):
            raise InputError(f"storage {shown}: expected to be able to write {place}, found it read-only")


def _is_database(file: Path) -> bool:
    """Whether `file` begins as SQLite's files do, or is empty."""
    try:
        with file.open("rb") as stream:
            return stream.read(16) in (b"", b"SQLite format 3\0")
    except OSError:
        return False
