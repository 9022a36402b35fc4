"""The command line as a user meets it: help, exit codes, one line for every mistake."""

from __future__ import annotations

import csv
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import run_search
from ferplus_data.console import program
from search import __version__
from search.commands.command_line import parse
from search.study.options import flag_of, options_of

ROOT = Path(run_search.__file__).parent


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], *([command, "--help"] for command in run_search.COMMANDS)]
)
def test_help_answers_without_loading_anything_heavy(arguments: list[str]) -> None:
    program = (
        "import sys, run_search\n"
        f"code = run_search.main({arguments!r})\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'optuna', 'pandas', 'plotly', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "usage: python run_search.py" in result.stdout and "--help" in result.stdout


def test_the_version_is_said(capsys: pytest.CaptureFixture) -> None:
    assert run_search.main(["--version"]) == 0
    assert capsys.readouterr().out == f"run_search.py {__version__}\n"


@pytest.mark.parametrize("command", run_search.COMMANDS)
def test_the_help_names_every_option_and_every_choice(command: str, capsys: pytest.CaptureFixture) -> None:
    assert run_search.main([command, "-h"]) == 0
    said = capsys.readouterr().out
    for field, about in options_of(run_search.COMMANDS[command].options).items():
        assert flag_of(field, about) in said and about.group in said
        assert all(name in said for name in about.kind.choices)
    for example in run_search.COMMANDS[command].examples:
        assert f"python run_search.py {example}\n" in said


@pytest.mark.parametrize("command", run_search.COMMANDS)
def test_the_examples_of_the_help_are_understood(command: str) -> None:
    for example in run_search.COMMANDS[command].examples:
        name, *words = shlex.split(example.partition(" <")[0])
        if "my_space.py" not in example:
            parse(name, run_search.COMMANDS[name], words)


def test_a_near_miss_is_suggested(capsys: pytest.CaptureFixture) -> None:
    assert run_search.main(["serch"]) == 2 and "did you mean search?" in capsys.readouterr().err
    assert run_search.main(["search", "--trails", "3"]) == 2
    assert "did you mean --trials?" in capsys.readouterr().err


def refused(arguments: list[str], capsys: pytest.CaptureFixture, *said: str) -> None:
    """Assert exit code 2 and one line on standard error that says all of `said`."""
    assert run_search.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error, error
    for part in said:
        assert part in error


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    return ["--runs-dir", str(tmp_path / "runs")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "--data", "/no/such/folder"], "/no/such/folder"),
        (["search", "--space", "smal"], "unknown space 'smal'"),
        (["search", "--oracle", "delphi"], "--oracle: expected one of portfolio, "),
        (["search", "--pruner", "shears"], "--pruner: expected one of "),
        (["search", "--set", "backbone=vgg99"], "unknown backbone 'vgg99'"),
        (["search", "--set", "dropuot=0.3"], "unknown hyperparameter 'dropuot'"),
        (["search", "--set", "dropout"], "NAME=VALUE"),
        (["search", "--set", "dropout=5"], "dropout: expected 0 to"),
        (["search", "--study", "../out"], "study name"),
        (["search", "--set", "image_size=abc"], "image_size: expected a number"),
        (["search", "--set", "batch_size=inf"], "batch_size: expected a number"),
        (["search", "--set", "freeze_before=5"], "freeze_before: expected"),
        (["search", "--seed", "-1"], "--seed: expected 0 or more"),
        (["search", "--trials", "0"], "--trials: expected 1 or more"),
        (["search", "--trials", "many"], "--trials"),
        (["search", "--epochs", "0"], "--epochs: expected 1 or more"),
        (["search", "--subset", "0"], "--subset"),
        (["search", "--subset", "1.5"], "--subset"),
        (["search", "--timeout", "soon"], "--timeout: expected seconds"),
        (["search", "--image-size", "4"], "image size"),
        (["search", "--storage", "nosuchdb://x"], "storage nosuchdb://x"),
        (["search", "--storage", "postgresql+nodriver://me:secret@host/db"], "me:***@host"),
        (["search", "--weights", "/no/such.h5"], "/no/such.h5"),
        (["search", "--workers", "many"], "--workers: expected a whole number or auto"),
        (["search", "--workers", "0"], "--workers: expected 1 or more"),
        (["search", "--workers", "2", "--oracle", "kt-random"], "room for one worker"),
        (["search", "--gpus-per-trial", "2"], "expected that many GPUs, found 0"),
        (["search", "--engine", "abacus"], "--engine: expected one of local, ray, found 'abacus'"),
        (["search", "--grace", "0"], "--grace: expected 1 or more"),
        (["search", "--retries", "-1"], "--retries: expected 0 or more"),
        (["search", "--artifacts", "ftp://x"], "expected a folder or s3://BUCKET"),
        (["worker", "--study", "absent"], "study absent"),
        (["worker", "--study", "absent", "--storage", "sqlite://"], "in the memory of one connection"),
        (["search", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["status"], "expected a study, found none"),
        (["status", "--study", "absent"], "study absent"),
        (["report", "--format", "docx"], "docx"),
        (["report", "--watch", "--format", "csv"], "--watch: expected --format html"),
        (["report", "--watch", "--every", "0"], "--every"),
        (["dashboard"], "expected a study, found none"),
        (["dashboard", "--port", "0"], "--port"),
        (["evaluate", "--checkpoint", "/no/such.keras"], "/no/such.keras"),
        (["predict", "/no/such.png"], "/no/such.png"),
        (["predict"], "IMAGE"),
        (["export", "--checkpoint", "/no/such.keras"], "/no/such.keras"),
        (["export", "--format", "caffe", "--checkpoint", "/no/such.keras"], "caffe"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], said: str, runs: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    with_runs = arguments if arguments[0] in ("nonsense", "prepare") else [*arguments, *runs]
    refused(with_runs, capsys, said)
    assert not (tmp_path / "runs").exists()
    assert "secret" not in str(capsys.readouterr())


def test_a_run_directory_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    blocked = tmp_path / "blocked"
    blocked.touch()
    refused(["search", "--runs-dir", str(blocked)], capsys, "run directory", "--runs-dir")


def test_a_space_that_raises(tmp_path: Path, runs: list[str], capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def f(hp):\n    raise RuntimeError('no')\n")
    refused(["search", "--space", f"{path}:f", *runs], capsys, "space function raised RuntimeError: no")


def test_a_corrupt_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK not really")
    refused(["evaluate", "--checkpoint", str(path)], capsys, "model.keras", "expected a whole .keras model")


def test_a_corrupt_weights_file(tmp_path: Path, runs: list[str], capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n broken")
    refused(["search", "--weights", str(path), *runs], capsys, "weights.h5")


def test_prepare_counts_the_demo(capsys: pytest.CaptureFixture) -> None:
    assert run_search.main(["prepare"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("demo") and lines[2].startswith("neutral") and lines[10].startswith("all")
    assert lines[-1] == "labels from no official file"


def test_prepare_writes_which_face_shows_which_photograph(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "photographs.csv"
    for _ in range(2):  # its own file is replaced
        assert run_search.main(["prepare", "--photographs", str(path)]) == 0
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["split", "image name", "photograph"]
    kept = [line for line in capsys.readouterr().out.splitlines() if line.startswith("all")][0]
    assert [sum(row[0] == name for row in rows) for name in ("train", "val", "test")] == [
        int(count.replace(",", "")) for count in kept.split()[1:]
    ]
    trained = {row[2] for row in rows if row[0] == "train"}
    assert 10 < sum(row[2] in trained for row in rows if row[0] == "test") < 40  # the demo repeats 5 in 100
    path.write_text("mine")
    refused(["prepare", "--photographs", str(path)], capsys, str(path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("called", "shown", "with_path"),
    [
        ("/opt/venv/bin/ferplus-tuner", "ferplus-tuner", "ferplus-tuner"),
        ("../my clone/run_search.py", "python run_search.py", "python '../my clone/run_search.py'"),
    ],
)
def test_command_lines_that_are_shown_begin_as_the_program_was_called(
    called: str,
    shown: str,
    with_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert run_search.main(["search", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: {shown} search [OPTIONS]") and f"\n  {shown} search --data" in said
    assert run_search.main(["report", "--runs-dir", str(tmp_path)]) == 2
    assert f"start one with: {shown} search" in capsys.readouterr().err
    assert program(path=True) == with_path
