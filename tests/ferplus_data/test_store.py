"""Decoded once, noticed when changed, rebuilt when damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.cache import cache_directory, publish
from ferplus_data.errors import InputError
from ferplus_data.readers import READERS
from ferplus_data.readers.kaggle_csv import KagglePair
from ferplus_data.readers.png_folders import PngFolders
from ferplus_data.store import SPLITS, Faces, open_faces

Layout = type[KagglePair] | type[PngFolders]
LAYOUTS: dict[str, Layout] = {"kaggle_csv": KagglePair, "png_folders": PngFolders}


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by the reader's name with every decode."""
    calls: list[str] = []
    for name, source in LAYOUTS.items():
        original = source.decode

        def decode(self, progress, name=name, original=original):
            calls.append(name)
            return original(self, progress)

        monkeypatch.setattr(source, "decode", decode)
    return calls


def cached(cache: Path) -> list[Path]:
    """Every entry of the cache, temporary ones included."""
    return sorted(cache.iterdir())


def test_every_file_layout_is_covered_here() -> None:
    assert set(LAYOUTS) | {"demo"} == set(READERS)


def test_splits_are_named_in_the_order_of_their_numbers(rows, tmp_path: Path) -> None:
    faces = open_faces(rows.write_csv(tmp_path / "data"))
    assert SPLITS == ("train", "val", "test")
    assert np.bincount(faces.split).tolist() == [5, 2, 2]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_second_opening_decodes_nothing(layout: str, rows, tmp_path: Path, decodes: list[str]) -> None:
    folder = {"kaggle_csv": rows.write_csv, "png_folders": rows.write_png}[layout](tmp_path / "data")
    first, second = open_faces(folder), open_faces(str(folder))
    assert decodes == [layout]
    assert_same(first, second)
    assert first.source == str(folder)
    assert isinstance(second.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        second.images[0] = 0
    assert len(cached(cache_directory())) == 1


def test_the_fingerprint_is_of_the_content(rows, tmp_path: Path) -> None:
    from_csv = open_faces(rows.write_csv(tmp_path / "csv"))
    from_png = open_faces(rows.write_png(tmp_path / "png"))
    assert from_csv.fingerprint == from_png.fingerprint
    rows.images["fer0000001.png"][0, 0] ^= 1
    assert open_faces(rows.write_csv(tmp_path / "other")).fingerprint != from_csv.fingerprint


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_changed_file_is_noticed(layout: str, rows, tmp_path: Path, decodes: list[str]) -> None:
    write = {"kaggle_csv": rows.write_csv, "png_folders": rows.write_png}[layout]
    before = open_faces(write(tmp_path / "data"))
    rows.images["fer0000005.png"] = 255 - rows.images["fer0000005.png"]
    after = open_faces(write(tmp_path / "data"))
    assert decodes == [layout, layout]
    assert before.fingerprint != after.fingerprint
    np.testing.assert_array_equal(after.images[5], rows.images["fer0000005.png"])
    # The decode of the older files is gone: a cache must not grow with every change.
    assert len(cached(cache_directory())) == 1


def test_two_pixel_files_in_one_folder_keep_their_own_caches(
    rows, tmp_path: Path, decodes: list[str]
) -> None:
    folder = rows.write_csv(tmp_path / "data")
    (folder / "other.csv").write_bytes((folder / "fer2013.csv").read_bytes())
    for name in ("fer2013.csv", "other.csv") * 2:
        open_faces(folder / name)
    assert len(decodes) == 2


def _delete(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _shorten(name: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def _flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "images.npy").read_bytes())
    content[-1] ^= 1
    (folder / "images.npy").write_bytes(content)


def _forget_names(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "names": []}))


DAMAGE = {
    **{f"no {name}": _delete(name) for name in ("images.npy", "votes.npy", "split.npy", "meta.json")},
    **{f"half of {name}": _shorten(name) for name in ("images.npy", "votes.npy", "split.npy", "meta.json")},
    "one bit of one image": _flip_a_bit,
    "names lost": _forget_names,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_rebuilt(damage, rows, tmp_path: Path, decodes: list[str]) -> None:
    folder = rows.write_csv(tmp_path / "data")
    first = open_faces(folder)
    expected = first.images.copy()
    damage(cached(cache_directory())[0])
    second = open_faces(folder)
    assert len(decodes) == 2
    assert second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(second.images, expected)
    assert len(cached(cache_directory())) == 1
    open_faces(folder)
    assert len(decodes) == 2


def test_a_failed_decode_leaves_nothing_behind(rows, tmp_path: Path) -> None:
    folder = rows.write_csv(tmp_path / "data")
    (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n6,1 2 3,Training\n")
    with pytest.raises(InputError, match=r"fer2013\.csv, row 2"):
        open_faces(folder)
    assert not cache_directory().exists() or cached(cache_directory()) == []


@pytest.mark.parametrize("data", ["demo", "files"])
def test_a_cache_that_cannot_be_written_names_the_variable(data: str, rows, tmp_path: Path) -> None:
    folder = "demo" if data == "demo" else rows.write_csv(tmp_path / "data")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError) as error:
        open_faces(folder, cache_dir=tmp_path / "file" / "cache")
    assert "FERPLUS_CACHE" in str(error.value) and str(tmp_path / "file") in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_home_directory_the_cache_must_be_named(
    rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    folder = rows.write_csv(tmp_path / "data")
    monkeypatch.setattr(Path, "expanduser", unknown)
    open_faces(folder)  # FERPLUS_CACHE names a folder: no home is needed
    monkeypatch.delenv("FERPLUS_CACHE")
    with pytest.raises(InputError, match="FERPLUS_CACHE") as error:
        open_faces(folder)
    assert "--data" not in str(error.value) and str(folder) not in str(error.value)


def test_a_folder_whose_name_is_not_unicode_is_read(rows, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"d\xe9")
    assert len(open_faces(rows.write_csv(folder)).names) == 9


def test_the_environment_names_the_cache(rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERPLUS_CACHE", str(tmp_path / "there"))
    open_faces(rows.write_csv(tmp_path / "data"))
    assert len(cached(tmp_path / "there")) == 1
    monkeypatch.delenv("FERPLUS_CACHE")
    assert cache_directory() == Path.home() / ".cache" / "ferplus-tuner"
    assert cache_directory(tmp_path) == tmp_path


def test_publishing_where_another_process_was_first_keeps_the_first(tmp_path: Path) -> None:
    def whole(folder: Path) -> bool:
        return (folder / "content").is_file()

    def write(folder: Path) -> None:
        (folder / "content").write_text("second")
        # While this one writes, the other process finishes.
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "content").write_text("first")

    publish(tmp_path / "folder", write, names=["content"], whole=whole)
    assert (tmp_path / "folder" / "content").read_text() == "first"
    assert cached(tmp_path) == [tmp_path / "folder"]


def test_a_writer_that_fails_publishes_nothing(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "content").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"):
        publish(tmp_path / "folder", write, names=["content"], whole=Path.is_dir)
    assert cached(tmp_path) == []


def assert_same(left: Faces, right: Faces) -> None:
    assert (left.names, left.fingerprint, left.source) == (right.names, right.fingerprint, right.source)
    for name in ("images", "votes", "split"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
