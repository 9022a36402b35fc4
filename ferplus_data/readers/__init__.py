"""Files in any of the layouts -> the same arrays in the same order. A new layout: one file, one line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..cache import cache_directory, expanded
from ..errors import InputError
from . import demo, kaggle_csv, png_folders
from .decoded import SPLITS, Decoded, Progress, Source
from .row_order import PIXELS_URL

__all__ = ["READERS", "SPLITS", "Decoded", "Progress", "Reader", "Source", "find_source", "read"]


class Reader(NamedTuple):
    """Reader of one layout.

    Attributes:
        find: (data, cache folder) -> the data if it is in that layout, None if it is not.
        layout: What the user is told of the layout.
    """

    find: Callable[[Path, Path], Source | None]
    layout: str


READERS: dict[str, Reader] = {
    "demo": Reader(demo.find, demo.LAYOUT),
    "kaggle_csv": Reader(kaggle_csv.find, kaggle_csv.LAYOUT),
    "png_folders": Reader(png_folders.find, png_folders.LAYOUT),
}


def find_source(data: str | Path, *, cache_dir: Path | None = None) -> tuple[str, Source]:
    """The name of the reader that knows the layout of `data`, and the data ready to decode.

    Args:
        data: "demo", a folder, or the path of a pixel CSV. A folder that is called demo is "./demo".
        cache_dir: where the demo is written, by default as in `cache.cache_directory`.

    Raises:
        InputError: nothing is there, or it is in none of the layouts.
    """
    cache = cache_directory(cache_dir)
    try:
        path = expanded(Path(data))
        if path == Path(demo.NAME) and str(data) != demo.NAME:
            path = path.absolute()  # "./demo", which Path shortens to the word
        for name, reader in READERS.items():
            source = reader.find(path, cache)
            if source is not None:
                return name, source
        found = _what_stands_at(path)
    # RuntimeError: the home directory of an unknown ~user.
    except (OSError, RuntimeError) as error:
        found = f"a path that cannot be read ({error})"
    raise InputError(
        f"{data}: expected {'; or '.join(reader.layout for reader in READERS.values())}; found {found}"
    )


def read(data: str | Path, progress: Progress | None = None, *, cache_dir: Path | None = None) -> Decoded:
    """Decode `data` from its files, every time (`store.open_faces` remembers). Errors as `find_source`."""
    _, source = find_source(data, cache_dir=cache_dir)
    return source.decode(progress or (lambda done, total: None))


def _what_stands_at(path: Path) -> str:
    if not path.exists():
        return "nothing at that path"
    if path.is_file():
        return f"a file of type {path.suffix or 'unknown'}"
    if (path / kaggle_csv.VOTES_FILE).is_file():
        wanted = " or ".join(kaggle_csv.PIXEL_FILES)
        return f"only {kaggle_csv.VOTES_FILE} in the folder; get {wanted} from Kaggle, {PIXELS_URL}"
    known = [name for name in kaggle_csv.PIXEL_FILES if (path / name).is_file()]
    if known:
        return f"only {known[0]} in the folder; get {kaggle_csv.VOTES_FILE} from {kaggle_csv.VOTES_URL}"
    return "a folder with none of these"
