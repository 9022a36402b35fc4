"""From a finished study on demo faces, in a folder whose name means something everywhere: every command as a user calls it."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import yaml
from PIL import Image

import run_search
from ferplus_data.dataset import HeldOut, load_dataset
from models.serving import export
from reports.analysis.commands import commands
from search.study.run_directory import RunDirectory
from search.study.view import best_trial, read_study
from tests.search.test_names import NASTY

SCRIPT = Path(run_search.__file__).parent / "docs" / "classify_onnx.py"
SMALL = ["--set", "backbone=small_vgg", "--set", "image_size=16", "--set", "optimizer=adamw"]


@pytest.fixture(scope="module", autouse=True)
def looks() -> Iterator[list[Any]]:
    """Each time that someone takes the test labels."""
    seen: list[Any] = []
    reveal = HeldOut.reveal_labels

    def noted(self: HeldOut) -> Any:
        seen.append(self)
        return reveal(self)

    with mock.patch.object(HeldOut, "reveal_labels", noted):
        yield seen


SEARCH = ["--subset", "0.1", "--trials", "2", "--epochs", "1", "--pruner", "none", *SMALL]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs") / NASTY
    assert run_search.main(["search", "--study", "done", "--runs-dir", str(runs), *SEARCH]) == 0
    return runs


@pytest.fixture(scope="module")
def folder(runs: Path) -> Path:
    formats = ["--format", "keras,onnx,saved_model,litert"]
    assert run_search.main(["export", "--study", "done", "--runs-dir", str(runs), *formats]) == 0
    return runs / "done" / "export"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("faces")
    pixels = load_dataset("demo").test.pixels()
    for i in range(6):
        Image.fromarray(pixels[i, :, :, 0]).save(folder / f"{i}.png")
    return [str(path) for path in sorted(folder.iterdir())]


def call(*arguments: str, code: int = 0) -> None:
    assert run_search.main([*arguments]) == code


def test_every_command_works_in_the_nastiest_folder(
    runs: Path, folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")

    def said(*words: str) -> str:
        call(*words, "--study", "done", "--runs-dir", str(runs))
        return capsys.readouterr().out

    assert "retrained before" in said("search", *SEARCH)
    assert "2 of 2 trials" in said("status")
    for form, file in (("html", "report.html"), ("json", "report.json"), ("csv", "report.csv")):
        assert str(runs / "done" / file) in said("report", "--format", form)
    page = (runs / "done" / "report.html").read_text(encoding="utf-8")
    assert NASTY not in page  # its < and > would be the page's
    picture = runs / "face.png"
    Image.new("L", (48, 48)).save(picture)
    line = said("predict", str(picture))
    probabilities = [float(p) for p in re.findall(r" (0\.\d{3}|1\.000)", line)]
    assert str(picture) in line and sum(probabilities) == pytest.approx(1, abs=0.005)
    assert len(probabilities) == 8 and probabilities == sorted(probabilities, reverse=True)
    view = read_study(RunDirectory.of(runs, "done"))
    assert str(runs) in shlex.split(commands(view)["Export the model"])
    assert [path.name for path in runs.parent.iterdir()] == [NASTY]


def test_the_card_holds_the_studys_figures(runs: Path, folder: Path) -> None:
    metrics = json.loads((runs / "done/best/metrics.json").read_text())
    card = (folder / "README.md").read_text()
    for split in ("val", "test"):
        low, high = metrics["interval"][split]
        chosen = " (chosen on these rows)" if split == "val" else ""
        figures = f"| {split}{chosen} | {metrics[f'n_{split}']} | {metrics[f'{split}_accuracy']:.4f} | {low:.4f} to {high:.4f} |"
        assert figures in card
    for row in metrics["per_class"]["test"]:
        assert f"| {row['emotion']} | {row['precision']:.3f} | {row['recall']:.3f} |" in card
    for name, value in metrics["hyperparameters"].items():
        assert f"| {name} | {value} |" in card
    assert "the figures say nothing about people" in card and "study done" in card
    for rule, splits in metrics["protocols"].items():
        one = splits["test"]
        assert f"| {rule} | test | {one['n']} | {one['accuracy']:.4f} |" in card
    ties, votes = metrics["ties"]["test"], metrics["votes"]["test"]
    assert f"{ties['n']} of the rows are two-way ties. Without them" in card
    assert (
        f"NLL against the votes {votes['nll_votes']:.4f} (the votes themselves {votes['nll_votes_floor']:.4f})"
        in card
    )
    (model,) = yaml.safe_load(card.split("---\n")[1])["model-index"]
    assert model["results"][0]["metrics"] == [
        {"type": "accuracy", "value": round(metrics["test_accuracy"], 4)}
    ]
    assert "The test accuracy is reading 1 of 1 of the test labels, of these models:\n1. trial" in card


def test_a_script_without_this_project_says_what_predict_says(
    runs: Path, folder: Path, faces: list[str], capsys: pytest.CaptureFixture
) -> None:
    imports = re.findall(r"^(?:import|from) (\w+)", SCRIPT.read_text(), re.MULTILINE)
    assert set(imports) - sys.stdlib_module_names == {"numpy", "onnxruntime", "PIL"}
    command = [sys.executable, "-I", str(SCRIPT), str(folder / "model.onnx"), *faces]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    call("predict", *faces, "--study", "done", "--runs-dir", str(runs))
    lines = capsys.readouterr().out.splitlines()
    for mine, theirs in zip(lines, said.splitlines(), strict=True):
        assert mine.split("  ")[0] == theirs.split("  ")[0]
        numbers = [[float(n) for n in re.findall(r" (\d\.\d{3})", line)] for line in (mine, theirs)]
        np.testing.assert_allclose(*numbers, atol=1.1e-3)


def test_every_export_evaluates_to_the_reports_figures(
    runs: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    # The study's own part of the data; another checkpoint's figures are of the whole.
    call("evaluate", "--study", "done", "--runs-dir", str(runs), "--test")
    own = capsys.readouterr().out
    metrics = json.loads((runs / "done/best/metrics.json").read_text())
    assert f"test_accuracy {metrics['test_accuracy']:.4f}  n {metrics['n_test']}" in own
    out, found = tmp_path / "figures.json", []
    for model in (
        runs / "done/best/model.keras",
        *(folder / name for name in ("model.keras", "model.onnx", "saved_model", "model.tflite")),
    ):
        call("evaluate", "--checkpoint", str(model), "--out", str(out))
        found.append(json.loads(out.read_text()))
    assert all(one["confusion"] == found[0]["confusion"] for one in found)
    assert all(one["n_val"] > metrics["n_val"] for one in found)
    assert all(one["test_accuracy"] is None and "test" not in one["confusion"] for one in found)


def test_predict_reads_folders_and_standard_input_and_goes_on_after_a_bad_picture(
    folder: Path,
    faces: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ["--checkpoint", str(folder / "model.onnx"), "--format", "json"]
    shutil.copytree(Path(faces[0]).parent, tmp_path / "faces")
    (tmp_path / "faces" / "3.png").write_bytes(b"no picture")
    call("predict", str(tmp_path / "faces"), *model, code=1)
    found = capsys.readouterr()
    entries = json.loads(found.out)
    assert (
        len(entries) == 5
        and found.err.count("\n") == 1
        and "skipped: image" in found.err
        and "3.png" in found.err
    )
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(Path(faces[0]).read_bytes())))
    call("predict", "-", *model)
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["path"] == "-" and entry["probabilities"] == pytest.approx(
        entries[0]["probabilities"], abs=1e-6
    )


def test_a_format_that_differs_ends_with_1_and_says_how_far(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.serving.export.proof.TOLERANCE", -1.0)
    call(
        "export",
        "--study",
        "done",
        "--runs-dir",
        str(runs),
        "--format",
        "h5-weights",
        "--out",
        str(tmp_path),
        code=1,
    )
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "h5-weights: differs by 0" in error and "not exported" in error
    assert not (tmp_path / export.H5_WEIGHTS.files[0]).exists()


def test_a_study_whose_data_has_gone_is_proven_on_the_demo(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(runs / "done", tmp_path / "done", ignore=shutil.ignore_patterns("export", "trials"))
    config = tmp_path / "done" / "config.json"
    config.write_text(config.read_text().replace('"data": "demo"', '"data": "/gone"'))
    call("export", "--study", "done", "--runs-dir", str(tmp_path), "--format", "h5-weights")
    assert "/gone" in (out := capsys.readouterr().out) and "demo faces" in out
    assert (
        json.loads((tmp_path / "done/export/parity.json").read_text())["h5-weights"]["faces_from"] == "demo"
    )


def test_an_ensemble_is_retrained_once_averaged_and_measured(
    runs: Path, folder: Path, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    arguments = [
        "export",
        "--study",
        "done",
        "--runs-dir",
        str(runs),
        "--format",
        "h5-weights",
        "--out",
        str(tmp_path),
    ]
    call(*arguments, "--ensemble", "2", "--test")
    first = capsys.readouterr().out
    ensemble = runs / "done" / "ensemble"
    metrics = json.loads((ensemble / "metrics.json").read_text())
    best = json.loads((runs / "done/best/metrics.json").read_text())
    trials = [member["trial"] for member in metrics["members"]]
    assert len(set(trials)) == 2 and best["trial"] in trials and metrics["n_test"] == best["n_test"]
    assert first.count("on the whole training split") == 1
    assert (
        f"ensemble: val_accuracy {metrics['val_accuracy']:.4f} (chosen on these rows), its best network alone"
        in first
    )
    hyperparameters = [member["hyperparameters"] for member in metrics["members"]]
    assert hyperparameters[0] != hyperparameters[1]

    from models.serving.model_files import load_model

    others = [path for path in ensemble.glob("*/model.keras")]
    members = [load_model(path) for path in (runs / "done/best/model.keras", *others)]
    given = load_dataset("demo").test.pixels()[:20]
    mean = np.mean([member.predict(given, verbose=0) for member in members], axis=0)
    found = load_model(ensemble / "model.keras").predict(given, verbose=0)
    np.testing.assert_allclose(found, mean, atol=1e-5)
    card = (tmp_path / "README.md").read_text()
    assert (
        "Ensemble" in card
        and f"{metrics['test_accuracy']:.4f}" in card
        and "on the validation split alone" in card
    )

    call(*arguments, "--ensemble", "2")
    assert (
        "has been retrained before" in (again := capsys.readouterr().out)
        and "whole training split" not in again
    )
    call(*arguments, "--ensemble", "9", code=2)
    assert "distinct configurations" in capsys.readouterr().err


def test_the_ledger_has_a_line_for_every_look_at_the_test_labels(
    runs: Path, folder: Path, looks: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    study = ["--study", "done", "--runs-dir", str(runs)]
    ledger = runs / "done" / "test_readings.jsonl"

    def readings() -> list[dict[str, Any]]:
        return [json.loads(line) for line in ledger.read_text().splitlines()]

    def called(*arguments: str) -> int:
        """How many looks a command took; as many lines came to the ledger."""
        before = len(looks), len(readings())
        call(*arguments)
        taken = len(looks) - before[0]
        assert len(readings()) - before[1] == taken
        return taken

    assert len(readings()) == len(looks) and readings()[0]["command"] == "search"
    for command in ("evaluate", "report", "status"):
        assert called(command, *study) == 0
    assert (
        called("prepare") == called("export", *study, "--format", "h5-weights", "--out", str(tmp_path)) == 0
    )
    assert (
        called(
            "search", *study, "--subset", "0.1", "--trials", "2", "--epochs", "1", "--pruner", "none", *SMALL
        )
        == 0
    )
    assert called("evaluate", *study, "--test", "--tta") == 1
    assert {model["sha256"] for model in readings()[-1]["models"]} == {
        json.loads((runs / "done/best/metrics.json").read_text())["model_sha256"]
    }
    assert [model.get("averaged", "")[:9] for model in readings()[-1]["models"]] == ["", "each face"]
    assert called("evaluate", "--checkpoint", str(folder / "model.onnx"), "--test") == 1
    best = best_trial(read_study(RunDirectory(runs / "done")).trials)
    assert best is not None
    worst = 1 - best.number
    capsys.readouterr()
    assert called("retrain", *study, "--trial", str(worst)) == 0
    said = capsys.readouterr().out
    assert (
        f"trial {worst}, asked for by the user: val_accuracy" in said and "test labels not looked at" in said
    )
    metrics = json.loads((runs / "done/best/metrics.json").read_text())
    assert (
        metrics["test_accuracy"] is None
        and metrics["asked_for_by_the_user"]
        and "test" not in metrics["per_class"]
    )
    assert called("export", *study, "--format", "h5-weights") == 0
    card = (folder / "README.md").read_text()
    assert (
        "The test labels were not looked at with this model" in card and "not the best by the search" in card
    )
    # What was retrained before is measured; nothing is trained again.
    trained = (runs / "done/retraining" / f"{worst:04d}").glob("seed-*/history.csv")
    before = {path: path.stat().st_mtime_ns for path in trained}
    capsys.readouterr()
    assert called("retrain", *study, "--trial", str(worst), "--test") == 1
    assert f"trial {worst}: retrained before" in capsys.readouterr().out
    assert before and before == {path: path.stat().st_mtime_ns for path in before}
    again = json.loads((runs / "done/best/metrics.json").read_text())
    assert again["val_accuracy"] == metrics["val_accuracy"] and again["test_accuracy"] is not None
    assert again["times"]["retraining"] >= metrics["times"]["retraining"]
    assert called("retrain", *study, "--test", "--retrain-seeds", "2") == 1
    last = readings()[-1]
    assert last["accuracy"] == pytest.approx(np.mean([model["accuracy"] for model in last["models"]]))
    assert len(last["models"]) == 2 and f"reading {len(looks)} of {len(looks)}" in capsys.readouterr().out
    page = (runs / "done" / "report.html").read_text()
    assert f"is reading {len(looks)} of {len(looks)}, of these models:" in page
