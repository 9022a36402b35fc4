"""best/predictions.npz, written by a retraining and read by the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferplus_data.errors import InputError
from search.study.predictions import SPLITS, Predictions, read_predictions, write_predictions


def predictions(n: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    return Predictions(
        rng.random((n, 8), np.float32),
        rng.integers(0, 8, n),
        rng.integers(0, 10, (n, 10)).astype(np.uint8),
        np.arange(n),
        rng.random(n) < 0.5,
        rng.integers(0, 256, (n, 48, 48)).astype(np.uint8),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = {split: predictions(20 + seed, seed) for seed, split in enumerate(SPLITS)}
    path = tmp_path / "best" / "predictions.npz"
    write_predictions(path, written)
    read = read_predictions(path)
    for split in SPLITS:
        for name, array in vars(written[split]).items():
            found = getattr(read[split], name)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)
        assert read[split].accuracy == np.mean(
            written[split].probabilities.argmax(1) == written[split].labels
        )
    assert [entry.name for entry in path.parent.iterdir()] == ["predictions.npz"]


def test_none_are_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path / "predictions.npz") == {}


@pytest.mark.parametrize("damage", ["truncated", "another archive", "text"])
def test_a_damaged_file_is_one_line(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    write_predictions(path, {split: predictions(5, 0) for split in SPLITS})
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "another archive":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_text("no archive")
    with pytest.raises(InputError, match="predictions.npz: expected predictions"):
        read_predictions(path)


def test_an_interrupted_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "predictions.npz"
    path.write_text("old")

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_predictions(path, {split: predictions(5, 0) for split in SPLITS})
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
