"""What a study can be stored at, by the scheme of its URL, and URLs that would fail later told apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy

from ferplus_data.errors import InputError

if TYPE_CHECKING:
    from search.storages.retrying import RetryingStorage


class Scheme(NamedTuple):
    """Kind of place that studies are stored at.

    Attributes:
        form: Its URLs, as messages show them.
        check: (url, url without its password); raises InputError if no study can be stored there, and creates nothing.
        open: (url, shown_url, grace, max_deaths) -> the storage; see `search.storages.registry.open_storage`.
    """

    form: str
    check: Callable[[str, str], None]
    open: Callable[..., RetryingStorage]


def scheme_of(url: str) -> str:
    """Return the key in `SCHEMES` that `url` begins with, without a driver's name; it need not be there."""
    return url.partition("://")[0].partition("+")[0] if "://" in url else ""


def check_url(url: str, shown: str) -> None:
    """Raise InputError if no study can be stored at `url`, without connecting to it or creating anything.

    Args:
        url: As for `search.storages.registry.open_storage`.
        shown: What messages show of it, without its password.
    """
    name = scheme_of(url)
    if name not in SCHEMES:
        *forms, last = (scheme.form for scheme in SCHEMES.values())
        found = name if name.isalnum() else "no URL of a database"
        raise InputError(f"storage {shown}: expected {', '.join(forms)} or {last}, found {found}")
    SCHEMES[name].check(url, shown)


def _check_database(url: str, shown: str) -> None:
    try:
        made = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InputError(f"storage {shown}: expected {SCHEMES[scheme_of(url)].form}") from None
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
        fine = bool(parts.hostname and parts.port) and "@" not in parts.netloc
    except ValueError:
        fine = False
    if not fine:
        raise InputError(f"storage {shown}: expected grpc://HOST:PORT, a host and a port alone")


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
    if unknown := settings.keys() - _SQLITE_SETTINGS:
        raise InputError(
            f"storage {shown}: expected the settings {', '.join(sorted(_SQLITE_SETTINGS))}, found {', '.join(sorted(unknown))}"
        )
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


# Of sqlite3.connect, as SQLAlchemy passes them on, and of SQLite's own URIs (sqlite.org/uri.html).
_SQLITE_SETTINGS = {
    "cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri",
    "cache", "mode", "modeof", "nolock", "psow", "vfs",
}  # fmt: skip


def _is_database(file: Path) -> bool:
    """Whether `file` begins as SQLite's files do, or is empty."""
    try:
        with file.open("rb") as stream:
            return stream.read(16) in (b"", b"SQLite format 3\0")
    except OSError:
        return False


def _open_database(url: str, **options: Any) -> RetryingStorage:
    from search.storages.rdb import DatabaseStorage

    return DatabaseStorage(url, **options)


def _open_proxy(url: str, **options: Any) -> RetryingStorage:
    try:
        from search.storages.grpc_proxy import proxy_storage
    # RuntimeError: said by Optuna's generated code of older packages.
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"storage {url}: expected the packages grpcio and protobuf, found: {' '.join(str(error).split())}; install them "
            "with: pip install -r requirements.txt"
        ) from error
    return proxy_storage(url, **options)


SCHEMES: dict[str, Scheme] = {
    "sqlite": Scheme("sqlite:///FILE", _check_database, _open_database),
    "postgresql": Scheme("postgresql+psycopg://USER@HOST/DATABASE", _check_database, _open_database),
    "grpc": Scheme("grpc://HOST:PORT", _check_proxy, _open_proxy),
}
"""Where a study can be stored."""
