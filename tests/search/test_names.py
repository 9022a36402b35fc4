"""Folders whose names mean something in a URL, a template, a pattern, a shell, a page or a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.storages.registry import open_storage, open_study
from search.study.run_directory import RunDirectory, storage_url

NASTY = "a?b%20c#d{e}{0} 'f\" [g] ü&h=i;j$k`l(m)!n~o@p:q+r,s^t|u<v>*"
NAMES = [
    "a b",
    "a?mode=memory",
    "100%",
    "a%20b",
    "#a",
    "{a}",
    "{SCHEMA_VERSION}",
    "[a]",
    "é",
    "it's",
    "a&b=c",
    "a:b@c",
    "*",
    NASTY,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_studys_database_is_in_its_folder(name: str, tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path / name, "s")
    run.create()
    open_study(open_storage(storage_url(run, None)), "s").study.set_user_attr("a", 1)
    assert [path.name for path in tmp_path.iterdir()] == [name] and run.database.is_file()
    assert open_study(open_storage(storage_url(run, None)), "s").study.user_attrs["a"] == 1
