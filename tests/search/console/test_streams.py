"""Standard streams closed, gone, or of an encoding that has not every letter."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLOSED = [streams for n in (1, 2, 3) for streams in itertools.combinations((0, 1, 2), n)]
NOT_UTF_8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "LANG": "C"}


def run(program: str, *, close: tuple[int, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `program` with the streams `close` closed."""
    closing = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in close)
    return subprocess.run(
        f"exec {sys.executable} -c '{program}' {closing}",
        shell=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
        env={**os.environ, **environment},
    )


def command(*words: str) -> str:
    return f"import sys, run_search; sys.exit(run_search.main({ascii([*words])}))".replace("'", '"')


@pytest.mark.parametrize("close", CLOSED, ids=str)
def test_a_command_does_its_work_without_them(close: tuple[int, ...]) -> None:
    done = run(command("--version"), close=close)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run_search.py ") == (1 not in close)
    refused = run(command("status", "--runs-dir", "/no/such"), close=close)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ") == (2 not in close)


@pytest.mark.parametrize("close", CLOSED, ids=str)
def test_nothing_meant_for_the_screen_is_written_into_a_file(close: tuple[int, ...], tmp_path: Path) -> None:
    file = tmp_path / "kept"
    program = (
        "import os, sys; from search.console.streams import repair_streams; repair_streams()\n"
        f'kept = open("{file}", "w")\n'
        'print(sys.stdin.read() == sys.stdin.read(), flush=True); os.write(1, b"out"); os.write(2, b"err")\n'
        "assert kept.fileno() > 2"
    )
    done = run(program, close=close)
    assert done.returncode == 0, done.stderr
    assert file.read_text() == ""


@pytest.mark.parametrize(
    "environment", [NOT_UTF_8, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}], ids=str
)
@pytest.mark.parametrize("word", ["größer", "顔", "•…─"])
def test_what_the_terminal_cannot_show_is_replaced(word: str, environment: dict[str, str]) -> None:
    done = run(command("status", "--study", word), **environment)
    assert done.returncode == 2 and done.stderr.startswith("error: study name"), done.stderr
    done = run(command(word), **environment)
    assert done.returncode == 2 and "expected one of search" in done.stderr, done.stderr


def test_a_reader_that_has_gone_is_no_error() -> None:
    program = command("search", "--help")
    done = subprocess.run(
        f"{sys.executable} -u -c '{program}' | head -1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stdout.startswith("usage: python run_search.py search") and not done.stderr
