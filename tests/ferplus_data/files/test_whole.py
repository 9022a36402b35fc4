from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ferplus_data.files import write_bytes, write_file, write_json, write_text, writing

WRITE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text(path, "neu: ü\r\n"),
    "json": lambda path: write_json(path, {"a": "ü"}),
    "bytes": lambda path: write_bytes(path, b"\x00new"),
    "saver": lambda path: write_file(path, lambda temporary: temporary.write_bytes(b"new")),
}


def _fail(path: Path) -> None:
    with writing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")


@pytest.mark.parametrize("kind", WRITE)
def test_a_file_is_replaced_and_nothing_else_is_left(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "made" / "x.weights.h5"
    for _ in range(2):
        WRITE[kind](path)
        assert [found.name for found in path.parent.iterdir()] == ["x.weights.h5"]


def test_text_is_utf8_with_its_own_line_ends(tmp_path: Path) -> None:
    assert write_text(tmp_path / "x", "ü\r\n").read_bytes() == b"\xc3\xbc\r\n"


def test_what_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x", "old")
    with pytest.raises(RuntimeError):
        _fail(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_what_was_written_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, steps = tmp_path / "x", []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("flushed"), fsync(file))[1])
    monkeypatch.setattr(os, "replace", lambda *names: (steps.append("renamed"), replace(*names))[1])
    write_text(path, "new")
    assert steps[:2] == ["flushed", "renamed"]


def test_leftovers_of_a_killed_writer_go_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    names = [".writing-00000000-x", ".writing-11111111-x", ".writing-22222222-y", ".writing-mine-x", "x.old"]
    for name in names:
        (tmp_path / name).touch()
        if name != names[1]:
            os.utime(tmp_path / name, (0, 0))
    write_text(tmp_path / "x", "new")
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], "x"}


def test_a_directory_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "x" / "kept").mkdir(parents=True)
    with pytest.raises(OSError) as raised:
        write_text(tmp_path / "x", "new")
    assert raised.value.filename == str(tmp_path / "x") and (tmp_path / "x" / "kept").is_dir()


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    write_text(Path(os.devnull), "new")
    assert not Path(os.devnull).is_file()


def test_writers_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    texts = [str(i) * 100_000 for i in range(8)]
    writers = [threading.Thread(target=write_text, args=(tmp_path / "x", text)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "x").read_text() in texts and len(list(tmp_path.iterdir())) == 1
