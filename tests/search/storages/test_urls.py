"""Storages that cannot hold a study are refused before anything is made."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from ferplus_data.errors import InputError
from search.storages.registry import open_storage
from search.storages.urls import check_url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me@host/db",
        "mysql+pymysql://u:x@127.0.0.1:1/x",
        "mariadb+mysqlconnector://me@host/db",
        "oracle+oracledb://me@host/db",
        "mssql+pyodbc://me@host/db",
        "redis://host",
        "journal:///file",
        "nosuchdb://x",
        "study.db",
        "",
        "://",
        "postgresql://host:port/db",
        "postgresql+nodriver://host/db",
        "postgresql+asyncpg://host/db",
        "sqlite+aiosqlite:///study.db",
        "sqlite://",
        "sqlite:///",
        "sqlite+pysqlite://",
        "sqlite:///:memory:",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:study?mode=memory&cache=shared&uri=true",
        "sqlite:///file:/study?vfs=memdb&uri=true",
        "sqlite:///file:study.db?mode=ro&uri=true",
        "sqlite:///file:study.db?immutable=1&uri=true",
        "sqlite:///study.db?moed=rw",
        "sqlite:////no/such/folder/study.db",
        "sqlite:////tmp",
        "grpc://host",
        "grpc://:13000",
        "grpc://host:port",
        "grpc://user:secret@host:13000",
        "grpc://host:99999",
    ],
)
def test_a_url_that_cannot_hold_a_study_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for refuse in (lambda: check_url(url, url), lambda: open_storage(url)):
        with pytest.raises(InputError, match="^storage .*: expected .*") as raised:
            refuse()
        assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_another_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("more than sixteen bytes of notes")
    with pytest.raises(InputError, match="found another file"):
        check_url(f"sqlite:///{tmp_path}/notes.txt", "shown")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_read_only_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    sqlite3.connect(file).close()
    file.chmod(0o444)
    with pytest.raises(InputError, match="read-only"):
        check_url(f"sqlite:///{file}", "shown")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///study.db",
        "sqlite:///there.db",
        "postgresql+psycopg://me:secret@host/db",
        "grpc://host:13000",
    ],
)
def test_a_url_that_can_is_taken(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect("there.db")
    connection.execute("create table t (x)")
    connection.close()
    check_url(url, url)
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]
