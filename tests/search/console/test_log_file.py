"""The log file has every line that a command says, whatever the command is."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import models.serving.demo_page.server as demo_page
import run_search
import search.console.dashboard as dashboard
from ferplus_data.console import log, logged_to, say
from ferplus_data.errors import InputError
from search.study.options import options_of
from tests.conftest import SHORT

OF_EACH: dict[str, list[str]] = {
    "search": SHORT,
    "worker": [],
    "retrain": [],
    "report": [],
    "export": ["--format", "h5-weights"],
    "evaluate": [],
    "predict": ["face.png", "absent.png"],
    "demo": [],
    "status": [],
    "check": SHORT,
    "prepare": [],
    "dashboard": [],
    "enqueue": ["dropout=0.5"],
}
"""Words of each command that has the option."""


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study of all these commands is."""
    there = tmp_path_factory.mktemp("said")
    shutil.copytree(finished, there / "runs" / finished.name)
    Image.fromarray(np.full((48, 48), 90, np.uint8)).save(there / "face.png")
    return there


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str], list[str]]]:
    """Runs a command; returns its exit code, the lines on the screen and those in the log file, without their times."""

    def served(*_: Any, say: Callable[[str], None], **__: Any) -> None:
        say("http://127.0.0.1")

    monkeypatch.chdir(place)
    monkeypatch.setattr(demo_page, "serve", served)
    monkeypatch.setattr(dashboard, "serve", served)

    def of(command: str, *words: str) -> tuple[int, list[str], list[str]]:
        file, screen = Path(f"{command}.log"), io.StringIO()
        file.unlink(missing_ok=True)
        study = [] if command == "prepare" else ["--study", "demo"]
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
            code = run_search.main([command, *words, *study, "--log-file", str(file)])
        lines = [line.rstrip() for line in screen.getvalue().splitlines() if line.strip()]
        logged = [
            re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", line)
            for line in file.read_text().splitlines()
        ]
        return code, lines, [line.rstrip() for line in logged]

    return of


def test_every_command_that_has_the_option_is_run_here() -> None:
    having = {
        name for name, command in run_search.COMMANDS.items() if "log_file" in options_of(command.options)
    }
    assert having == set(OF_EACH)


@pytest.mark.parametrize("command", OF_EACH)
def test_the_log_file_has_every_line_on_the_screen(
    command: str, run: Callable[..., tuple[int, list[str], list[str]]]
) -> None:
    code, lines, logged = run(command, *OF_EACH[command])
    assert code == (1 if command == "predict" else 0), lines  # one picture is not there
    assert lines and [line for line in lines if line not in logged] == []


def test_it_has_the_line_of_a_mistake(run: Callable[..., tuple[int, list[str], list[str]]]) -> None:
    code, lines, logged = run("status", "--sort", "dropuot", "--runs-dir", "absent")
    assert code == 2 and lines == logged and lines[0].startswith("error: study demo")


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_search.main(["prepare", "--log-file", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: --log-file {tmp_path}: expected a file to write to")


def test_what_is_said_after_it_is_not_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "said.log"
    for number in (1, 2):
        with logged_to(file):
            say(f"both {number}\nlines")
            log("unseen")
        say("afterwards")
    assert [line.split(" ", 2)[2] for line in file.read_text().splitlines()] == [
        *("both 1", "lines", "unseen"),
        *("both 2", "lines", "unseen"),
    ]
    assert capsys.readouterr().out.splitlines() == [
        "both 1",
        "lines",
        "afterwards",
        "both 2",
        "lines",
        "afterwards",
    ]


def test_it_tells_what_ended_the_work(tmp_path: Path) -> None:
    with pytest.raises(KeyError), logged_to(tmp_path / "said.log"):
        raise KeyError("gone")
    assert (tmp_path / "said.log").read_text().endswith(" ended: KeyError: 'gone'\n")
    with pytest.raises(InputError, match="--log-file"), logged_to(tmp_path):
        pass


def test_warnings_of_libraries_are_in_it_and_stay_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as outside of a test
    with logged_to(tmp_path / "said.log"):
        logging.getLogger("a.library").warning("the disk is nearly full")
    assert capsys.readouterr().err == "the disk is nearly full\n"
    assert (tmp_path / "said.log").read_text().endswith(" the disk is nearly full\n")
