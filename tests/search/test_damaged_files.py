"""Files of a study that are missing, cut off, of another content or no files at all: each command goes on or names the file."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import run_search
from tests.conftest import SHORT

FILES = [
    "config.json", "study.db", "best/metrics.json", "best/predictions.npz", "best/model.keras",
    "retraining/0000/seed-1000000/history.csv", "retraining/0000/seed-1000000/training.json",
    "retraining/0000/seed-1000000/best.weights.h5", "trials/0000/history.csv", "trials/0000/training.json",
    "best/.ferplus-tuner.json", ".ferplus-tuner.json", "report.html",
]  # fmt: skip


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def other_shape(path: Path) -> None:
    path.write_text(
        '{"study": 7, "files": [], "val_accuracy": "high"}' if path.suffix == ".json" else "a,b\n1,2\n"
    )


def a_list(path: Path) -> None:
    path.write_text("[]")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: list[Callable[[Path], None]] = [
    missing, empty, truncated, garbage, other_shape, a_list, a_directory,
]  # fmt: skip
COMMANDS = {
    "status": [],
    "report": [],
    "report as csv": ["--format", "csv"],
    "evaluate": [],
    "export": ["--format", "h5-weights"],
    "search": SHORT,
    "retrain": [],
}


MODEL_OR_CONFIG = ["config.json", "best/model.keras"]
OF_BEST = ["best/metrics.json", "best/.ferplus-tuner.json"]
SHOWN = [
    "best/metrics.json",
    "best/predictions.npz",
    "retraining/0000/seed-1000000/history.csv",
    "report.html",
]
# Every damage of every file for a command that takes no time; for the others what they read.
CASES = [
    *itertools.product(FILES, DAMAGES, ["status"]),
    *itertools.product(FILES, [truncated], ["search"]),
    *itertools.product(SHOWN, [truncated, other_shape, a_directory], ["report"]),
    *itertools.product(["best/metrics.json"], DAMAGES, ["report as csv"]),
    *itertools.product(MODEL_OR_CONFIG, [truncated, a_directory], ["evaluate"]),
    *itertools.product([*MODEL_OR_CONFIG, *OF_BEST], [truncated, other_shape], ["export"]),
    *itertools.product(
        ["best/metrics.json", "retraining/0000/seed-1000000/training.json"], [truncated], ["retrain"]
    ),
]


@pytest.mark.parametrize(("file", "damage", "command"), CASES)
def test_a_damaged_file_is_passed_over_or_named(
    file: str,
    damage: Callable[[Path], None],
    command: str,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    study = shutil.copytree(finished, tmp_path / finished.name)
    damage(study / file)
    name, *options = command.split()[0], *COMMANDS[command]
    code = run_search.main([name, "--study", study.name, "--runs-dir", str(tmp_path), *options])
    said = capsys.readouterr().err
    assert code in (0, 2), said
    if code == 2:
        (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
        assert Path(file).name in line or str(Path(file).parent) in line, line
