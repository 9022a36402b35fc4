"""Each kind of broken file stops with one line that names the file and the row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferplus_data.errors import InputError
from ferplus_data.readers import read


def edit(path: Path, row: int, change: Callable[[str], str]) -> None:
    """Change one line, counted from 1 as a text editor does."""
    lines = path.read_text().split("\n")
    lines[row - 1] = change(lines[row - 1])
    path.write_text("\n".join(lines))


def pixels_become(change: Callable[[list[str]], list[str]], row: int = 4) -> Callable[[Path], object]:
    """Change the list of pixel words in one row of fer2013.csv."""

    def words(line: str) -> str:
        emotion, pixels, usage = line.split(",")
        return ",".join([emotion, " ".join(change(pixels.split(" "))), usage])

    return lambda folder: edit(folder / "fer2013.csv", row, words)


def in_row(file: str, row: int, old: str, new: str) -> Callable[[Path], object]:
    def replace(line: str) -> str:
        assert old in line
        return line.replace(old, new, 1)

    return lambda folder: edit(folder / file, row, replace)


def cut(file: str, rows: int) -> Callable[[Path], object]:
    """Keep the header (or first row) and as many lines in all as `rows`."""
    return lambda folder: (folder / file).write_text(
        "".join((folder / file).read_text().splitlines(True)[:rows])
    )


def cut_bytes(file: str, share: float) -> Callable[[Path], object]:
    def shorten(folder: Path) -> None:
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: int(len(content) * share)])

    return shorten


def replaced(file: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes(content)


BROKEN_CSV: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a pixel short": (pixels_become(lambda p: p[:-1]), ["fer2013.csv, row 4:", "2304", "2303 values"]),
    "a pixel more": (pixels_become(lambda p: [*p, "0"]), ["fer2013.csv, row 4:", "2305 values"]),
    "no pixels": (pixels_become(lambda p: []), ["fer2013.csv, row 4:", "0 values"]),
    "a word among pixels": (pixels_become(lambda p: ["x", *p[1:]]), ["fer2013.csv, row 4:", "'x'"]),
    "a word at the end": (pixels_become(lambda p: [*p[:-1], "7x"]), ["fer2013.csv, row 4:", "'7x'"]),
    "a word too many": (pixels_become(lambda p: [*p, "end"]), ["fer2013.csv, row 4:", "'end'"]),
    "a fraction": (pixels_become(lambda p: ["0.5", *p[1:]]), ["fer2013.csv, row 4:", "'0.5'"]),
    "over 255": (pixels_become(lambda p: ["256", *p[1:]]), ["fer2013.csv, row 4:", "0..255", "256"]),
    "under 0": (pixels_become(lambda p: ["-1", *p[1:]]), ["fer2013.csv, row 4:", "0..255", "-1"]),
    "a pixel that wraps": (pixels_become(lambda p: [str(2**32), *p[1:]]), ["fer2013.csv, row 4:", "0..255"]),
    "bad pixels in the last row": (
        pixels_become(lambda p: p[:9], row=11),
        ["fer2013.csv, row 11:", "9 values"],
    ),
    "pixel file one row short": (cut("fer2013.csv", 10), ["fer2013.csv: expected 10 rows", "found 9"]),
    "votes file two rows short": (cut("fer2013new.csv", 9), ["fer2013.csv: expected 8 rows", "found 10"]),
    "pixel file cut mid-row": (cut_bytes("fer2013.csv", 0.75), ["fer2013.csv, row 9:", "cut short"]),
    "votes file cut mid-row": (cut_bytes("fer2013new.csv", 0.75), ["fer2013new.csv, row", "cut short"]),
    "usages differ": (
        in_row("fer2013.csv", 5, "Training", "PublicTest"),
        ["fer2013.csv, row 5:", "expected Usage Training as in row 5", "'PublicTest'"],
    ),
    "a usage nobody knows": (
        in_row("fer2013new.csv", 5, "Training", "Spare"),
        ["fer2013new.csv, row 5:", "PrivateTest", "'Spare'"],
    ),
    "a vote that is no number": (
        in_row("fer2013new.csv", 2, ",9,", ",nine,"),
        ["fer2013new.csv, row 2:", "happiness", "'nine'"],
    ),
    "a negative vote": (in_row("fer2013new.csv", 2, ",9,", ",-9,"), ["fer2013new.csv, row 2:", "'-9'"]),
    "votes over 255": (in_row("fer2013new.csv", 2, ",9,", ",256,"), ["fer2013new.csv, row 2:", "'256'"]),
    "a vote of thousands of digits": (
        in_row("fer2013new.csv", 2, ",9,", f",{'9' * 5000},"),
        ["fer2013new.csv, row 2:", "happiness", "'99999"],
    ),
    "a pixel of thousands of digits": (
        pixels_become(lambda p: ["9" * 5000, *p[1:]]),
        ["fer2013.csv, row 4:", "0..255"],
    ),
    "a missing vote": (in_row("fer2013new.csv", 3, ",8,", ","), ["fer2013new.csv, row 3:", "12", "11"]),
    "no pixels column": (
        in_row("fer2013.csv", 1, "pixels", "values"),
        ["fer2013.csv, row 1:", "pixels, Usage", "without pixels"],
    ),
    "no header in the votes": (
        lambda folder: edit(folder / "fer2013new.csv", 1, lambda _: "Training,fer0000000.png,0,9"),
        ["fer2013new.csv, row 1:", "contempt", "without Usage"],
    ),
    "an empty pixel file": (replaced("fer2013.csv", b""), ["fer2013.csv, row 1:", "without pixels"]),
    "a votes file of only a header": (cut("fer2013new.csv", 1), ["fer2013new.csv:", "found none"]),
    "not text": (replaced("fer2013.csv", b"\xff\xfe\x00PNG" * 99), ["fer2013.csv, after row 0:", "UTF-8"]),
    "text that turns binary": (
        lambda folder: (folder / "fer2013new.csv").write_bytes(
            (folder / "fer2013new.csv").read_bytes() + b"\xff" * 9000
        ),
        ["fer2013new.csv, after row", "UTF-8"],
    ),
    "a quote never closed": (
        lambda folder: edit(folder / "fer2013.csv", 3, lambda line: '"' + line + "0" * 140_000),
        ["fer2013.csv, after row 2:", "field"],
    ),
}


@pytest.mark.parametrize(("spoil", "said"), BROKEN_CSV.values(), ids=BROKEN_CSV.keys())
def test_broken_csv(spoil: Callable[[Path], object], said: list[str], rows, tmp_path: Path) -> None:
    folder = rows.write_csv(tmp_path)
    spoil(folder)
    assert_said(folder, said)


def image_of(mode: str, size: tuple[int, int], file_format: str = "PNG") -> Callable[[Path], object]:
    return lambda root: Image.new(mode, size).save(
        root / "FER2013Valid" / "fer0000005.png", format=file_format
    )


BROKEN_PNG: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "another size": (image_of("L", (64, 48)), ["FER2013Valid/fer0000005.png:", "48x48", "64x48"]),
    "colour": (image_of("RGB", (48, 48)), ["fer0000005.png:", "mode L", "mode RGB"]),
    "a palette": (image_of("P", (48, 48)), ["fer0000005.png:", "mode P"]),
    "16 bits": (image_of("I;16", (48, 48)), ["fer0000005.png:", "mode I;16"]),
    "another format": (image_of("L", (48, 48), "BMP"), ["fer0000005.png:", "BMP"]),
    "not an image": (replaced("FER2013Valid/fer0000005.png", b"hello"), ["fer0000005.png:", "broken"]),
    "an empty file": (replaced("FER2013Valid/fer0000005.png", b""), ["fer0000005.png:", "broken"]),
    "half a PNG": (cut_bytes("FER2013Valid/fer0000005.png", 0.5), ["fer0000005.png:", "broken"]),
    "an image missing": (
        lambda root: (root / "FER2013Train" / "fer0000001.png").unlink(),
        ["FER2013Train/label.csv, row 3:", "fer0000001.png"],
    ),
    "a row missing": (
        cut("FER2013Train/label.csv", 4),
        ["FER2013Train/label.csv:", "fer0000004.png", "cut short"],
    ),
    "label.csv cut mid-row": (
        cut_bytes("FER2013Valid/label.csv", 0.75),
        ["FER2013Valid/label.csv, row 2:", "12 columns", "cut short"],
    ),
    "an empty label.csv": (
        replaced("FER2013Test/label.csv", b""),
        ["FER2013Test/label.csv:", "fer0000007.png"],
    ),
    "a row with a column more": (
        in_row("FER2013Test/label.csv", 2, ",10", ",10,3"),
        ["FER2013Test/label.csv, row 2:", "12 columns", "found 13"],
    ),
    "a vote that is no number": (
        in_row("FER2013Test/label.csv", 1, ",8,", ",?,"),
        ["FER2013Test/label.csv, row 1:", "sadness", "'?'"],
    ),
    "a row without a name": (
        in_row("FER2013Test/label.csv", 1, "fer0000007.png", ""),
        ["FER2013Test/label.csv, row 1:", "''"],
    ),
    "a label.csv missing": (
        lambda root: (root / "FER2013Test" / "label.csv").unlink(),
        ["FER2013Test/label.csv", "found none"],
    ),
    "a folder missing": (
        lambda root: (root / "FER2013Test").rename(root / "FER2013Prove"),
        ["FER2013Test/label.csv", "found none"],
    ),
}


@pytest.mark.parametrize(("spoil", "said"), BROKEN_PNG.values(), ids=BROKEN_PNG.keys())
def test_broken_png_folders(spoil: Callable[[Path], object], said: list[str], rows, tmp_path: Path) -> None:
    root = rows.write_png(tmp_path)
    spoil(root)
    assert_said(root, said)


def test_a_pixel_file_without_votes_beside_it(rows, tmp_path: Path) -> None:
    folder = rows.write_csv(tmp_path)
    (folder / "fer2013new.csv").unlink()
    assert_said(folder / "fer2013.csv", ["fer2013.csv:", "fer2013new.csv", "github.com/microsoft/FERPlus"])


def test_the_votes_file_given_for_the_pixel_file(rows, tmp_path: Path) -> None:
    folder = rows.write_csv(tmp_path)
    assert_said(folder / "fer2013new.csv", ["fer2013new.csv, row 1:", "without pixels"])


def test_unspoiled_files_are_read(rows, tmp_path: Path) -> None:
    """The cases above must fail for what they spoil, not for the rows they start from."""
    from_csv, from_png = read(rows.write_csv(tmp_path / "csv")), read(rows.write_png(tmp_path / "png"))
    assert np.array_equal(from_csv.images, from_png.images)


def assert_said(data: Path, said: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read(data)
    message = str(error.value)
    assert "\n" not in message and "expected" in message and "found" in message
    assert str(data) in message or str(data.parent) in message
    for part in said:
        assert part in message
