"""Splits, twins, subsets: on rows made to show each, and on the real data where there is some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.dataset import Dataset, Split, load_dataset
from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS, TARGETS

NAMES = ("train", "val", "test")


@pytest.fixture(scope="module")
def demo(demo_cache: Path) -> Dataset:
    return load_dataset("demo", cache_dir=demo_cache)


def splits_of(data: Dataset) -> list[Split]:
    return [data.train, data.val, data.test]


def test_labels_rows_and_pixels_belong_together(rows, tmp_path: Path) -> None:
    data = load_dataset(rows.write_csv(tmp_path))
    assert [split.labels.tolist() for split in splits_of(data)] == [[1, 3, 1, 3], [3, 1], [3]]
    for split, names in zip(splits_of(data), ([0, 3, 3, 4], [5, 6], [7]), strict=True):
        pixels = split.pixels()
        assert pixels.shape == (len(split), 48, 48, 1) and pixels.dtype == np.uint8
        assert type(pixels) is np.ndarray  # in memory, not a view of the file
        for image, number in zip(pixels[..., 0], names, strict=True):
            np.testing.assert_array_equal(image, rows.images[f"fer000000{number}.png"])
        assert split.rows.dtype == split.labels.dtype == np.int64
        assert (np.diff(split.rows) > 0).all()
        assert split.class_counts.tolist() == [int((split.labels == c).sum()) for c in range(8)]
    assert {name: counts.sum() for name, counts in data.class_counts.items()} == {
        "train": 4,
        "val": 2,
        "test": 1,
    }


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_of_every_split(kind: str, demo: Dataset) -> None:
    for split in splits_of(demo):
        targets = split.targets(kind)
        assert targets.shape == (len(split), len(EMOTIONS)) and targets.dtype == np.float32
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
        assert (targets.argmax(axis=1) == split.labels).mean() > 0.95


@pytest.fixture
def leaking(rows, tmp_path: Path) -> Path:
    """Two val images and the test image also stand in train, one of them only in a row that is dropped."""
    images = rows.images
    images["fer0000005.png"] = images["fer0000004.png"]  # val = kept train
    images["fer0000006.png"] = images["fer0000001.png"]  # val = train row that the protocol drops
    images["fer0000007.png"] = images["fer0000000.png"]  # test = kept train
    return rows.write_csv(tmp_path / "leaking")


def test_twins_are_counted_against_kept_training_rows(leaking: Path) -> None:
    data = load_dataset(leaking)
    # Train holds fer0000003.png twice: only the second is a repeat.
    assert [split.twin.tolist() for split in splits_of(data)] == [
        [False, False, True, False],
        [True, False],
        [True],
    ]


def test_dedupe_takes_twins_and_repeats_out_of_train_only(leaking: Path) -> None:
    plain, data = load_dataset(leaking), load_dataset(leaking, dedupe=True)
    assert data.train.rows.tolist() == [plain.train.rows[1]]
    for kept, official in zip(splits_of(data)[1:], splits_of(plain)[1:], strict=True):
        np.testing.assert_array_equal(kept.rows, official.rows)
        # Still marked: accuracy without twins must mean the same rows for every study.
        np.testing.assert_array_equal(kept.twin, official.twin)
    assert data.fingerprint == plain.fingerprint


def test_after_dedupe_no_image_is_shared(demo_cache: Path, demo: Dataset) -> None:
    clean = load_dataset("demo", dedupe=True, cache_dir=demo_cache)
    train = {image.tobytes() for image in clean.train.pixels()}
    assert len(train) == len(clean.train) < len(demo.train)
    for split in (clean.val, clean.test):
        assert not any(image.tobytes() in train for image in split.pixels())


@pytest.mark.parametrize("subset", [0.003, 0.1, 0.5])
def test_a_subset_keeps_the_share_of_every_class(subset: float, demo: Dataset, demo_cache: Path) -> None:
    part = load_dataset("demo", subset=subset, cache_dir=demo_cache)
    for small, full in zip(splits_of(part), splits_of(demo), strict=True):
        expected = np.maximum(1, np.round(subset * full.class_counts))
        np.testing.assert_array_equal(small.class_counts, expected)
        assert (np.diff(small.rows) > 0).all()
        assert np.isin(small.rows, full.rows).all()
        where = np.searchsorted(full.rows, small.rows)
        np.testing.assert_array_equal(small.labels, full.labels[where])
        np.testing.assert_array_equal(small.votes, full.votes[where])
        np.testing.assert_array_equal(small.twin, full.twin[where])


def test_a_subset_is_repeatable_nested_and_moved_by_the_seed(demo_cache: Path) -> None:
    def train_rows(subset: float, seed: int) -> np.ndarray:
        return load_dataset("demo", subset=subset, seed=seed, cache_dir=demo_cache).train.rows

    np.testing.assert_array_equal(train_rows(0.2, 1), train_rows(0.2, 1))
    assert not np.array_equal(train_rows(0.2, 1), train_rows(0.2, 2))
    assert np.isin(train_rows(0.1, 1), train_rows(0.2, 1)).all()


@pytest.mark.parametrize("subset", [0.0, -0.1, 1.01, float("nan")])
def test_a_subset_out_of_range_is_refused(subset: float, rows, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="subset: expected a fraction above 0 and up to 1, found"):
        load_dataset(rows.write_csv(tmp_path), subset=subset)


@pytest.mark.parametrize("split", range(3))
def test_a_split_that_the_protocol_empties_is_refused(split: int, rows, tmp_path: Path) -> None:
    unclear = (3, 3, 3, 0, 0, 0, 0, 0, 0, 1)
    rows.rows = [(s, name, unclear if s == split else votes) for s, name, votes in rows.rows]
    with pytest.raises(InputError, match=f"in the {NAMES[split]} split, found none"):
        load_dataset(rows.write_csv(tmp_path))


def test_a_train_split_that_dedupe_empties_is_refused(rows, tmp_path: Path) -> None:
    same = rows.images["fer0000000.png"]
    rows.images = {name: same for name in rows.images}
    folder = rows.write_csv(tmp_path)
    assert len(load_dataset(folder).train) == 4
    with pytest.raises(InputError, match="in the train split, found none after --dedupe"):
        load_dataset(folder, dedupe=True)


def test_nothing_heavy_is_imported_before_batches() -> None:
    """`--help` and the report need names from here without waiting for TensorFlow."""
    code = (
        "import sys, ferplus_data.dataset, ferplus_data.augment;"
        "print([m for m in ('keras', 'tensorflow', 'albumentations', 'cv2', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_real_counts_and_twins(real_data: Path, real_cache: Path) -> None:
    data = load_dataset(real_data, cache_dir=real_cache)
    assert data.train.class_counts.tolist() == [9509, 7399, 3291, 3121, 2097, 111, 510, 115]
    assert data.val.class_counts.tolist() == [1250, 882, 427, 356, 290, 26, 60, 14]
    assert (len(data.train), len(data.val)) == (26153, 3305)
    assert data.val.twin.sum() == 258
    # Of 1,227 named training images that repeat an earlier one, these are the ones the protocol keeps.
    assert data.train.twin.sum() == 1114
    official_test = np.array([1170, 906, 415, 398, 280, 15, 78, 13])
    assert (data.test.class_counts <= official_test).all()
    if len(data.test) == official_test.sum():
        assert data.test.twin.sum() == 257
