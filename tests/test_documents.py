"""What the documents show works: every command is understood, the tour runs from its first cell to its last."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import run_search
from search.commands.command_line import parse

ROOT = Path(run_search.__file__).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEMPLATE = re.compile(r"[A-Z_]+\|[A-Z_.|]+|\.\.\.")
"""A line that shows a choice, such as --checkpoint FILE.keras|FILE.hdf5, is not a command; one with variables is a script's."""


def commands() -> list[tuple[str, str]]:
    """(page, what follows run_search.py) of every command line in the documents."""
    found = []
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))  # lines that go on
        for line in text.splitlines():
            command = re.match(
                r"(?: {4,}|\$ |[A-Z_]+=\S+ )*(?:\S*python3? run_search\.py|ferplus-tuner) (\w.*)$", line
            )
            if command and not TEMPLATE.search(command[1].partition("#")[0]) and "$" not in command[1]:
                found.append((page.name, command[1]))
    return found


def test_there_are_commands_to_look_at() -> None:
    assert len(commands()) > 30 and {page for page, _ in commands()} >= {
        "README.md",
        "serving.md",
        "distributed.md",
    }


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_of_the_documents_is_understood(page: str, line: str) -> None:
    words = shlex.split(re.split(r" [|<>&] | & *$", line)[0], comments=True)
    name, *arguments = words
    assert name in run_search.COMMANDS
    if not any(".py:" in word for word in arguments):  # the user's own file is not there
        parse(name, run_search.COMMANDS[name], arguments)


def test_the_tour_runs_on_drawn_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tour = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    nbformat.validate(tour)
    (parameters,) = [cell for cell in tour.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source += "\ntrials, subset, epochs = 1, 0.1, 1"
    NotebookClient(tour, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {
        kind: content
        for cell in tour.cells
        for output in cell.get("outputs", [])
        for kind, content in output.get("data", {}).items()
    }
    assert any("srcdoc" in str(content) for content in shown.values())
    streams = "".join(output.get("text", "") for cell in tour.cells for output in cell.get("outputs", []))
    assert "time in all" in streams and "1 of 1 trials" in streams
    assert "trial   0" in streams and "epoch 1/1: loss" not in streams  # a line a trial, none an epoch
    assert (tmp_path / "runs" / "tour" / "report.html").is_file()
    assert (tmp_path / "runs" / "tour" / "export" / "model.onnx").is_file()
