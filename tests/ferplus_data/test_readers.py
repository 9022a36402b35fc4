"""Every layout gives the same arrays in the same order."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferplus_data.errors import InputError
from ferplus_data.labels import VOTE_COLUMNS, majority_labels
from ferplus_data.readers import READERS, Decoded, find_source, read
from ferplus_data.readers.kaggle_csv import USAGES
from ferplus_data.readers.png_folders import FOLDERS


def assert_same(left: Decoded, right: Decoded) -> None:
    assert left.names == right.names
    for name in ("images", "votes", "split"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def written_as(reader: str, rows, folder: Path) -> str:
    """What to pass as --data so that this reader is the one to answer."""
    if reader == "demo":
        return "demo"
    return str({"kaggle_csv": rows.write_csv, "png_folders": rows.write_png}[reader](folder))


@pytest.mark.parametrize("reader", READERS)
def test_shapes_types_and_order(reader: str, rows, tmp_path: Path, demo_cache: Path) -> None:
    data = written_as(reader, rows, tmp_path / "data")
    name, source = find_source(data, cache_dir=demo_cache)
    assert name == reader
    steps: list[tuple[int, int]] = []
    decoded = source.decode(lambda done, total: steps.append((done, total)))
    count = len(decoded.names)
    assert steps and steps[-1][0] == steps[-1][1] >= count
    assert steps == sorted(steps)
    assert decoded.images.shape == (count, 48, 48) and decoded.images.dtype == np.uint8
    assert decoded.votes.shape == (count, 10) and decoded.votes.dtype == np.uint8
    assert decoded.split.shape == (count,) and decoded.split.dtype == np.uint8
    order = list(zip(decoded.split.tolist(), decoded.names, strict=True))
    assert order == sorted(order)


@pytest.mark.parametrize("pixel_file", ["fer2013.csv", "icml_face_data.csv"])
def test_both_layouts_hold_the_same_data(pixel_file: str, rows, tmp_path: Path) -> None:
    from_csv = read(rows.write_csv(tmp_path / "csv", pixel_file))
    from_png = read(rows.write_png(tmp_path / "png"))
    assert_same(from_csv, from_png)
    assert from_csv.names == [f"fer000000{n}.png" for n in (0, 1, 3, 3, 4, 5, 6, 7, 8)]
    for image, name in zip(from_csv.images, from_csv.names, strict=True):
        np.testing.assert_array_equal(image, rows.images[name])
    # Two rows of one name stay in file order, each with its own votes.
    assert majority_labels(from_csv.votes).tolist() == [1, -1, 3, 1, 3, 3, 1, 3, -1]


def test_a_row_without_a_name_that_the_protocol_keeps_is_kept(rows, tmp_path: Path) -> None:
    rows.rows[2] = (0, "", (0, 0, 9, 0, 0, 0, 0, 0, 0, 1))
    decoded = read(rows.write_csv(tmp_path))
    assert decoded.names[0] == ""
    np.testing.assert_array_equal(decoded.images[0], rows.images[""])


def test_label_file_order_does_not_matter(rows, tmp_path: Path) -> None:
    expected = read(rows.write_png(tmp_path))
    labels = tmp_path / "FER2013Valid" / "label.csv"
    labels.write_text("\n".join(reversed(labels.read_text().splitlines())))
    assert_same(read(tmp_path), expected)


def test_the_pixel_file_itself_names_the_data(rows, tmp_path: Path) -> None:
    folder = rows.write_csv(tmp_path)
    (folder / "fer2013.csv").rename(folder / "pixels of mine.csv")
    assert len(read(folder / "pixels of mine.csv").names) == 9


def test_byte_order_mark_crlf_and_blank_last_lines_are_read(rows, tmp_path: Path) -> None:
    expected = read(rows.write_csv(tmp_path))
    for name in ("fer2013.csv", "fer2013new.csv"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert_same(read(tmp_path), expected)


def test_a_csv_pair_is_preferred_to_folders_beside_it(rows, tmp_path: Path) -> None:
    rows.write_png(tmp_path)
    assert find_source(tmp_path)[0] == "png_folders"
    rows.write_csv(tmp_path)
    assert find_source(tmp_path)[0] == "kaggle_csv"


def test_a_folder_called_demo_can_be_named(rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.write_png(tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    assert find_source("./demo")[0] == "png_folders"


def _nothing(folder: Path) -> Path:
    return folder / "absent"


def _empty(folder: Path) -> Path:
    return folder


def _archive(folder: Path) -> Path:
    (folder / "fer2013.tar.gz").write_bytes(b"")
    return folder / "fer2013.tar.gz"


def _votes_only(folder: Path) -> Path:
    (folder / "fer2013new.csv").write_text("Usage\n")
    return folder


def _pixels_only(folder: Path) -> Path:
    (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    return folder


def _endless_name(folder: Path) -> Path:
    return folder / ("x" * 300)


def _unknown_user(folder: Path) -> Path:
    return Path("~nobody-of-this-name/data")


UNKNOWN = {
    "nothing there": (_nothing, "nothing at that path"),
    "a name no file can have": (_endless_name, "cannot be read"),
    "a user who is not there": (_unknown_user, "cannot be read"),
    "an empty folder": (_empty, "a folder with none of these"),
    "an archive": (_archive, "a file of type .gz"),
    "only the votes": (
        _votes_only,
        "only fer2013new.csv in the folder; get fer2013.csv or icml_face_data.csv",
    ),
    "only the pixels": (_pixels_only, "only fer2013.csv in the folder; get fer2013new.csv"),
}


@pytest.mark.parametrize(("make", "found"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_data_in_no_layout_is_told_which_ones_there_are(make, found: str, tmp_path: Path) -> None:
    data = make(tmp_path)
    with pytest.raises(InputError) as error:
        read(data)
    message = str(error.value)
    assert message.startswith(f"{data}: expected")
    assert found in message and "\n" not in message
    for layout in ("fer2013.csv", "icml_face_data.csv", "fer2013new.csv", "FER2013Train", "demo"):
        assert layout in message


def test_a_slice_of_the_real_data_reads_the_same_in_both_layouts(real_data: Path, tmp_path: Path) -> None:
    """The first 40 images of every split, copied, and written again as the CSV pair."""
    csv_folder, png_folder = tmp_path / "csv", tmp_path / "png"
    csv_folder.mkdir()
    with (
        open(csv_folder / "fer2013.csv", "w", newline="") as pixels,
        open(csv_folder / "fer2013new.csv", "w", newline="") as votes,
    ):
        pixel_rows, vote_rows = csv.writer(pixels), csv.writer(votes)
        pixel_rows.writerow(["emotion", "pixels", "Usage"])
        vote_rows.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        for folder, usage in zip(FOLDERS, USAGES, strict=True):
            (png_folder / folder).mkdir(parents=True)
            with open(real_data / folder / "label.csv", newline="") as stream:
                labels = [row for row, _ in zip(csv.reader(stream), range(40), strict=False)]
            with open(png_folder / folder / "label.csv", "w", newline="") as stream:
                csv.writer(stream).writerows(labels)
            for name, _, *counts in labels:
                (png_folder / folder / name).write_bytes((real_data / folder / name).read_bytes())
                image = np.asarray(Image.open(real_data / folder / name))
                pixel_rows.writerow([6, " ".join(map(str, image.ravel())), usage])
                vote_rows.writerow([usage, name, *counts])
    from_png = read(png_folder)
    assert len(from_png.names) == 120
    assert_same(read(csv_folder), from_png)
