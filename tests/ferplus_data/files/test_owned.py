from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ferplus_data.errors import InputError
from ferplus_data.files.owned import MANIFEST, OwnFolder, write_owned


def fill(folder: Path, content: str, *names: str) -> None:
    """Write each of `names` (a name that ends in / is a folder with two files) with `content`."""
    own = OwnFolder(folder)
    with own.filling() as work:
        for name in names:
            if name.endswith("/"):
                (work / name / "deep").mkdir(parents=True)
                (work / name / "a").write_text(content)
                (work / name / "deep" / "b").write_text(content)
            else:
                (work / name).write_text(content)
        own.put(work, [name.rstrip("/") for name in names], instead=own.written())


def content_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".ferplus-tuner")
    }


def test_what_we_wrote_is_replaced_and_what_is_no_longer_asked_for_goes(tmp_path: Path) -> None:
    fill(tmp_path / "out", "old", "model.onnx", "saved/")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    fill(tmp_path / "out", "new", "model.onnx", "README.md")
    assert content_of(tmp_path / "out") == {"README.md": "new", "model.onnx": "new", "notes.txt": "mine"}


def _foreign(folder: Path) -> None:
    (folder / "model.onnx").write_text("mine")


def _edited(folder: Path) -> None:
    fill(folder, "old", "model.onnx")
    (folder / "model.onnx").write_text("mine")


def _beside(folder: Path) -> None:
    fill(folder, "old", "saved/")
    (folder / "saved" / "deep" / "mine").write_text("mine")


def _link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / "saved").symlink_to(folder.parent / "elsewhere")


def _without_manifest(folder: Path) -> None:
    fill(folder, "old", "model.onnx")
    (folder / MANIFEST).unlink()


def _damaged_manifest(folder: Path) -> None:
    fill(folder, "old", "model.onnx")
    (folder / MANIFEST).write_text('{"files": ["model.onnx"]}')


def _deep_manifest(folder: Path) -> None:
    fill(folder, "old", "model.onnx")
    (folder / MANIFEST).write_text("[" * 100_000)


@pytest.mark.parametrize(
    "place", [_foreign, _edited, _beside, _link, _without_manifest, _damaged_manifest, _deep_manifest]
)
def test_what_is_not_known_to_be_ours_is_refused_and_stays(
    place: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    place(folder)
    before = content_of(tmp_path)
    with pytest.raises(InputError, match="expected to write .* move it away"):
        OwnFolder(folder).check(["model.onnx", "saved"], "--out")
    with pytest.raises(InputError):
        fill(folder, "new", "model.onnx", "saved/")
    assert content_of(tmp_path) == before


def test_a_failed_filling_leaves_no_trace(tmp_path: Path) -> None:
    own = OwnFolder(tmp_path / "deep" / "out")
    with pytest.raises(RuntimeError), own.filling() as work:
        (work / "model.onnx").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_clearing_takes_ours_alone(tmp_path: Path) -> None:
    fill(tmp_path / "all", "old", "model.onnx", "saved/")
    OwnFolder(tmp_path / "all").clear()
    assert not (tmp_path / "all").exists()
    fill(tmp_path / "some", "old", "model.onnx", "saved/")
    (tmp_path / "some" / "saved" / "notes").write_text("mine")
    (tmp_path / "some" / "model.onnx").write_text("better")
    OwnFolder(tmp_path / "some").clear()
    assert content_of(tmp_path / "some")["saved/notes"] == "mine"
    assert content_of(tmp_path / "some")["model.onnx"] == "better"
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "model.onnx").write_text("mine")
    OwnFolder(tmp_path / "none").clear()
    assert content_of(tmp_path / "none") == {"model.onnx": "mine"}


def _killed_while_moving(folder: Path, at: int) -> None:
    """Die as the file number `at` is to get its place."""
    replace, moved = os.replace, []

    def dying(source: Path, target: Path) -> None:
        if Path(source).parent.name.startswith(".filling-"):
            if len(moved) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            moved.append(target)
        replace(source, target)

    os.replace = dying
    fill(folder, "new", "a", "b", "c/")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_kill_between_the_files_is_mended_by_the_next_reader(at: int, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "a", "b", "c/")
    process = multiprocessing.get_context("fork").Process(target=_killed_while_moving, args=(folder, at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    OwnFolder(folder).settle()
    assert {
        name: text for name, text in content_of(folder).items() if not name.startswith(".")
    } == dict.fromkeys(["a", "b", "c/a", "c/deep/b"], "new")
    fill(folder, "newer", "a")
    assert content_of(folder) == {"a": "newer"}


def _killed_while_filling(folder: Path) -> None:
    with OwnFolder(folder).filling() as work:
        (work / "a").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_was_filling_goes_and_what_a_living_one_fills_stays(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed_while_filling, args=(tmp_path,))
    process.start()
    process.join()
    assert len(list(tmp_path.glob(".filling-*"))) == 1
    own = OwnFolder(tmp_path)
    with own.filling() as work:
        assert list(tmp_path.glob(".filling-*")) == [work]
        fill(tmp_path, "other", "a")
        (work / "a").write_text("this")
        own.put(work, ["a"])
    assert content_of(tmp_path) == {"a": "this"}


@pytest.mark.parametrize("names", [[".."], ["../x"], [".filling-1", "x"]])
def test_a_manifest_from_elsewhere_cannot_reach_other_folders(names: list[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    (tmp_path / "out").mkdir()
    manifest = {
        "files": {name: ["0"] for name in names},
        "unfinished": names,
        "ready": {n: names for n in names},
    }
    (tmp_path / "out" / MANIFEST).write_text(json.dumps(manifest))
    OwnFolder(tmp_path / "out").clear()
    assert (tmp_path / "x").read_text() == "mine"


def test_one_file_is_replaced_only_if_it_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    for text in ("old", "new"):
        assert write_owned(path, text) == path
    assert path.read_text() == "new"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"report\.html"):
        write_owned(path, "newer")
    assert path.read_text() == "mine"


def test_a_file_without_a_manifest_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    for before, ours in (("made by us", True), ("mine", False)):
        path.write_text(before)
        (tmp_path / MANIFEST).unlink(missing_ok=True)
        if ours:
            write_owned(path, "new", lambda content: content.startswith(b"made"))
        else:
            with pytest.raises(InputError, match=r"report\.html.* move it away"):
                write_owned(path, "new", lambda content: content.startswith(b"made"))
        assert path.read_text() == ("new" if ours else before)
