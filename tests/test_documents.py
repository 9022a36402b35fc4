"""What the documents show works: every command and every block of code is tried as tests/documented.py says; the tour runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from PIL import Image

import run_search
from ferplus_data.dataset import load_dataset
from ferplus_data.readers import demo
from models.serving.export.web import RUNTIME_FILES, VARIABLE
from search import time_estimate
from search.commands.command_line import parse
from tests.documented import ROOT, TRIED, By, Installed, Made, Read, Run, commands, entry_of, others, tried
from tests.ferplus_data.conftest import HAPPY, SAD, Rows
from tests.search import simulated

INSTEAD = {
    "FILE": "FILE.keras",
    "FILE.keras|FILE.hdf5": "FILE.keras",
    "/shared/runs": "runs",
    "$DATA": "PATH/TO/FERPLUS",
    "postgresql+psycopg://HOST/DATABASE": "sqlite:///runs/big/study.db",
}
"""Words of the documents that cannot be names of files here -> what stands for them. All others are names in `place`."""
STUDIES = ("NAME", "S", "big", "ferplus", "mine", "transfer")


def test_every_command_and_block_is_in_the_table_and_every_entry_is_of_use() -> None:
    found = {code: entry_of(code) for code in [*commands(), *others()]}
    assert [code for code, entry in found.items() if entry is None] == []
    assert [entry for entry in TRIED if entry not in found.values()] == []
    assert len(commands()) > 120 and len(tried(Run)) > 60


@pytest.mark.parametrize("named", sorted({how.test for how in TRIED.values() if isinstance(how, By)}))
def test_a_test_that_is_named_is_there(named: str) -> None:
    file, _, function = named.partition("::")
    assert f"\ndef {function}(" in (ROOT / file).read_text(encoding="utf-8")


def words_of(command: str) -> list[str]:
    """What follows the program in the part of a command line that is ours, with what stands for its placeholders."""
    ours = next(part for part in command.split(" | ") if "run_search.py" in part)
    words = shlex.split(re.split(" [<>] ", ours)[0])
    return [INSTEAD.get(word, word) for word in words[words.index("run_search.py") + 1 :]]


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the documents' commands name, but the studies."""
    place = tmp_path_factory.mktemp("place")
    for name in ("PATH", "PATH/TO/FERPLUS"):
        (place / name).mkdir(parents=True)
        demo.write(place / name, (200, 60, 60))
    rows = [
        (split, f"fer000000{split}{n}.png", votes)
        for split in range(3)
        for n, votes in enumerate((HAPPY, SAD))
    ]
    Rows(rows).write_png(place / "FERPLUS_WITH_LABEL_CSV")
    face = Image.fromarray(load_dataset("demo").val.pixels()[0, ..., 0])
    (place / "FOLDER").mkdir()
    for name in ("FACE.png", "FOLDER/0.png", "FOLDER/1.png"):
        face.save(place / name)
    photograph = Image.new("L", (640, 480), 60)
    photograph.paste(face.resize((240, 240)), (200, 120))
    photograph.save(place / "PHOTO.jpg", quality=95)
    code = {name: block.text for name, block in others().items()}
    space = (code["README.md: # my_space.py"], code["README.md: from spaces.space import Space"])
    (place / "my_space.py").write_text("\n".join(space))
    detector = "def my_detector(image):\n    return 0, 0, *image.size\n\n\n"
    (place / "faces.py").write_text(detector + code["serving.md: # faces.py"])
    shutil.copy(finished / "best" / "model.keras", place / "FILE.keras")
    study = ["--study", finished.name, "--runs-dir", str(finished.parent)]
    assert run_search.main(["export", *study, "--format", "onnx", "--out", str(place / "DIR")]) == 0
    shutil.move(place / "DIR" / "model.onnx", place)
    (place / "dist").mkdir()
    for name in RUNTIME_FILES:
        (place / "dist" / name).touch()
    return place


@pytest.fixture
def here(place: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what is in `place`, and with studies of all names that are the finished one."""
    for path in place.iterdir():
        (tmp_path / path.name).symlink_to(path)
    study = shutil.copytree(finished, tmp_path / "runs" / finished.name)
    for name in STUDIES:
        (study.parent / name).symlink_to(study)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(place / "dist"))
    return tmp_path


def interrupted(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", tried(Run))
def test_a_command_runs(
    command: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    how = TRIED[entry_of(command) or ""]
    assert isinstance(how, Run)
    words = words_of(command)
    if (words or ["search"])[0] == "search":
        simulated.without_training(monkeypatch)
    monkeypatch.setattr(time_estimate, "seconds_per_face", lambda recipe, arguments: 0.001)
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    monkeypatch.setattr("models.serving.export.speed.SECONDS", 0.01)  # the figures are not looked at
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO((here / "FACE.png").read_bytes())))
    code = run_search.main([*words, *shlex.split(how.more)])
    said = capsys.readouterr()
    assert code == 0 and said.out.strip(), said.err


def others_of_ours() -> list[str]:
    return [one for one in commands() if "run_search.py " in one and one not in tried(Run) and "[" not in one]


@pytest.mark.parametrize("command", others_of_ours())
def test_a_command_that_is_run_elsewhere_is_understood(command: str) -> None:
    name, *words = words_of(command)
    parse(name, run_search.COMMANDS[name], words)


@pytest.mark.parametrize("command", tried(Made))
def test_make_would_run_it(command: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    how = TRIED[entry_of(command) or ""]
    said = subprocess.run(
        [*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert isinstance(how, Made) and how.what in said.stdout


@pytest.mark.parametrize("command", tried(Read))
def test_a_measurement_understands_its_options(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, parse_args = [], argparse.ArgumentParser.parse_args

    def end(parser: argparse.ArgumentParser, *given: Any) -> NoReturn:
        read.append(parse_args(parser, *given))
        raise KeyboardInterrupt

    words = shlex.split(command)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", end)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", words[next(i for i, word in enumerate(words) if word.endswith(".py")) :])
    with contextlib.suppress(KeyboardInterrupt):
        runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
    assert len(read) == 1


RELEASES = {
    line.partition("~=")[0].partition("[")[0]: line
    for path in ROOT.glob("requirements*.txt")
    for line in path.read_text(encoding="utf-8").splitlines()
    if "~=" in line
}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
    "dynamic"
]["optional-dependencies"]


@pytest.mark.parametrize("command", tried(Installed))
def test_what_is_to_be_installed_is_what_the_requirements_say(command: str) -> None:
    *options, named = shlex.split(command)[2:]
    name, extras, release = re.fullmatch(r"([^\[~]+)(?:\[(.*)\])?((?:~=.*)?)", named).groups()
    if options == ["-r"]:
        assert (ROOT / named).is_file()
    elif name == "." and extras:
        assert set(extras.split(",")) <= set(EXTRAS)
    elif release:
        assert RELEASES[name] == name + release
    else:
        assert name in (".", "wandb", *RELEASES)


def test_the_python_of_the_readme_runs(here: Path, capsys: pytest.CaptureFixture) -> None:
    code = others()
    program = code["README.md: from search import tune, Study"].text + next(
        block.text for name, block in code.items() if name.startswith("README.md: study = tune(")
    )
    smaller = {
        "trials=6": "trials=2, epochs=1, subset=0.1, finalists=1, pruner='none', pins=pins",  # goes on with the study
        "study.export()": "study.export(['h5-weights'])",  # the other formats are exported elsewhere
    }
    for text, other in smaller.items():
        assert program.count(text) == 1
        program = program.replace(text, other)
    pins = {"backbone": "small_vgg", "image_size": 16, "optimizer": "adamw"}
    names: dict[str, Any] = {"pins": pins}
    exec(compile(program, "README.md", "exec"), names)
    assert "study demo continues" in capsys.readouterr().out
    assert [trial.state for trial in names["study"].view.trials] == ["complete"] * 2
    assert (here / "runs" / "demo" / "export" / "model.weights.h5").is_file()


def test_the_notebook_of_the_report_runs(here: Path) -> None:
    code = [block.text for name, block in others().items() if name.startswith("report.md: ")]
    names: dict[str, Any] = {}
    exec(compile("".join(code), "report.md", "exec"), names)
    assert len(names["view"].trials) == 2 and len(code) == 2


def test_the_pods_of_the_manifest_are_workers() -> None:
    (manifest,) = (block.text for name, block in others().items() if name.startswith("distributed.md: "))
    (container,) = yaml.safe_load(manifest)["spec"]["template"]["spec"]["containers"]
    name, *words = container["args"]
    options = parse(name, run_search.COMMANDS[name], words)
    assert name == "worker" and (options.study, str(options.runs_dir)) == ("big", "/runs")


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
