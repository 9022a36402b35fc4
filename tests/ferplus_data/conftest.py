"""A small data set that can be written in every layout, and the real one where the environment names it."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferplus_data.labels import VOTE_COLUMNS
from ferplus_data.readers.kaggle_csv import USAGES
from ferplus_data.readers.png_folders import FOLDERS

_CACHE = os.environ.get("FERPLUS_CACHE")
HAPPY = (0, 9, 1, 0, 0, 0, 0, 0, 0, 0)
SAD = (1, 0, 0, 8, 1, 0, 0, 0, 0, 0)
UNCLEAR = (2, 2, 2, 2, 2, 0, 0, 0, 0, 0)
NO_FACE = (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)


@dataclass
class Rows:
    """Rows in file order: (split 0..2, image name, votes), and an image for every name, "" among them."""

    rows: list[tuple[int, str, tuple[int, ...]]]
    images: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        for _, name, _ in self.rows:
            self.images.setdefault(name, random.integers(0, 256, (48, 48), dtype=np.uint8))

    def write_csv(self, folder: Path, pixel_file: str = "fer2013.csv") -> Path:
        """The Kaggle pair; icml_face_data.csv gets that release's column order and spaces."""
        folder.mkdir(parents=True, exist_ok=True)
        spaced = pixel_file == "icml_face_data.csv"
        with (
            open(folder / pixel_file, "w", newline="") as pixels,
            open(folder / "fer2013new.csv", "w", newline="") as votes,
        ):
            pixel_rows, vote_rows = csv.writer(pixels), csv.writer(votes)
            pixel_rows.writerow(
                ["emotion", " Usage", " pixels"] if spaced else ["emotion", "pixels", "Usage"]
            )
            vote_rows.writerow(["Usage", "Image name", *VOTE_COLUMNS])
            for split, name, counts in self.rows:
                text = " ".join(map(str, self.images[name].ravel()))
                pixel_rows.writerow([6, USAGES[split], text] if spaced else [6, text, USAGES[split]])
                vote_rows.writerow([USAGES[split], name, *counts])
        return folder

    def write_png(self, root: Path) -> Path:
        """The FER+ folders; rows without a name have no place there."""
        for split, folder in enumerate(FOLDERS):
            (root / folder).mkdir(parents=True, exist_ok=True)
            with open(root / folder / "label.csv", "w", newline="") as stream:
                rows = csv.writer(stream)
                for _, name, counts in (row for row in self.rows if row[0] == split and row[1]):
                    rows.writerow([name, "(0, 0, 48, 48)", *counts])
                    Image.fromarray(self.images[name]).save(root / folder / name)
        return root


@pytest.fixture
def rows() -> Rows:
    """Ten rows: kept and dropped, one without a name, one name twice, names not in order."""
    return Rows(
        [
            (0, "fer0000000.png", HAPPY),
            (0, "fer0000003.png", SAD),
            (0, "", NO_FACE),
            (0, "fer0000001.png", UNCLEAR),
            (0, "fer0000003.png", HAPPY),
            (0, "fer0000004.png", SAD),
            (1, "fer0000006.png", HAPPY),
            (1, "fer0000005.png", SAD),
            (2, "fer0000007.png", SAD),
            (2, "fer0000008.png", NO_FACE),
        ]
    )


@pytest.fixture(scope="session")
def demo_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests of the demo data, so that it is drawn and decoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test may read or fill the user's own cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FERPLUS_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("FERPLUS_DATA")
    if not folder:
        pytest.skip("FERPLUS_DATA does not name a folder with FER2013Train, FER2013Valid and FER2013Test")
    return Path(folder)


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that FERPLUS_CACHE named when the tests began: what takes minutes on real data is done once."""
    return Path(_CACHE) if _CACHE else tmp_path_factory.mktemp("real_cache")
