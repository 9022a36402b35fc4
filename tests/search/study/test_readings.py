"""The ledger of looks at the test labels: lines that only grow, whoever writes and whatever is damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search.study.readings import append_reading, described, ledger_of, read_readings

TWO = [
    {"trial": 4, "seed": 1, "sha256": "a" * 64, "accuracy": 0.8},
    {"trial": 4, "seed": 2, "sha256": "b" * 64, "accuracy": 0.7},
]


def look(ledger: Path, command: str = "search") -> int:
    return append_reading(ledger, command=command, why="a test", models=TWO, n=20, accuracy=0.75)


def test_lines_are_numbered_and_hold_what_was_seen(tmp_path: Path) -> None:
    ledger = tmp_path / "s" / "test_readings.jsonl"
    assert read_readings(ledger) == []
    assert [look(ledger), look(ledger, "retrain")] == [1, 2]
    first, second = read_readings(ledger)
    assert (first["command"], second["command"], first["models"], first["n"]) == (
        "search",
        "retrain",
        TWO,
        20,
    )
    assert first["accuracy"] == 0.75 and first["deviation"] == pytest.approx(0.0707, abs=1e-4)
    assert first["when"].endswith("+00:00") and first["why"] == "a test"
    assert described([first]) == [
        f"trial 4, by search, {first['when'][:10]}: 0.7500 on average over 2 seeds, standard deviation 0.0707"
    ]


@pytest.mark.parametrize("damage", ["", "{", "[1]", "\udcff", '{"models": 3, "accuracy": "x"}'])
def test_a_damaged_line_is_a_reading_of_which_nothing_is_known(damage: str, tmp_path: Path) -> None:
    ledger = tmp_path / "test_readings.jsonl"
    look(ledger)
    with ledger.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(damage)  # without an end of line, as a full disk leaves it
    counted = 1 + bool(damage)
    assert len(read_readings(ledger)) == len(described(read_readings(ledger))) == counted
    assert look(ledger) == counted + 1
    assert json.loads(ledger.read_text(errors="replace").splitlines()[-1])["command"] == "search"


def test_several_processes_lose_no_line(tmp_path: Path) -> None:
    ledger = tmp_path / "test_readings.jsonl"
    code = (
        "import sys; from pathlib import Path; from search.study.readings import append_reading\n"
        "for _ in range(20): append_reading(Path(sys.argv[1]), command=sys.argv[2], why='', models=[], n=1, accuracy=0.5)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(ledger), str(i)]) for i in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    readings = read_readings(ledger)
    assert len(readings) == 60 and {one["command"] for one in readings} == {"0", "1", "2"}


def test_a_checkpoint_in_a_study_belongs_to_its_ledger_and_another_to_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "s"
    (run / "export").mkdir(parents=True)
    counts = {"train": [1], "val": [1], "test": [1]}
    config = {"study": "s", "arguments": {}, "data": {"source": "demo", "fingerprint": "0", "counts": counts}}
    (run / "config.json").write_text(json.dumps(config))
    assert ledger_of(run / "export" / "model.onnx") == run / "test_readings.jsonl"
    (run / "export" / "config.json").write_text('{"architectures": ["another program\'s"]}')
    assert ledger_of(run / "export" / "model.onnx") == run / "test_readings.jsonl"
    assert ledger_of(tmp_path / "model.h5") == tmp_path / "test_readings.jsonl"
