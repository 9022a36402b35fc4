"""Folders whose names mean something in a URL, a template, a pattern, a shell, a page or a table."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import run_search
from reports.analysis.commands import commands
from search.storages.registry import open_storage, open_study
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import read_study

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


def test_every_command_works_in_the_nastiest_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    runs = tmp_path / NASTY
    where = ["--study", "s", "--runs-dir", str(runs)]
    small = [
        "--subset",
        "0.1",
        "--trials",
        "1",
        "--epochs",
        "1",
        "--set",
        "backbone=small",
        "--set",
        "image_size=16",
    ]

    def call(*words: str) -> str:
        assert run_search.main([words[0], *words[1:], *where]) == 0
        return capsys.readouterr().out

    call("search", *small)
    assert "trial 0 has been retrained before" in call("search", *small)
    assert "1 of 1 trials" in call("status")
    for form, file in (("html", "report.html"), ("json", "report.json"), ("csv", "report.csv")):
        assert str(runs / "s" / file) in call("report", "--format", form)
    page = (runs / "s" / "report.html").read_text(encoding="utf-8")
    assert NASTY not in page  # its < and > would be the page's
    call("export", "--format", "keras,h5-weights")
    call("evaluate", "--out", str(runs / "figures.json"))
    picture = runs / "face.png"
    from PIL import Image

    Image.new("L", (48, 48)).save(picture)
    assert str(picture) in call("predict", str(picture))
    view = read_study(RunDirectory.of(runs, "s"))
    assert str(runs) in shlex.split(commands(view)["Export the model"])
    assert {path.name for path in tmp_path.iterdir()} == {NASTY}
