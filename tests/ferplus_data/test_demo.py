"""The demo: the same everywhere, the shape of FER+, learnable but not trivial."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.dataset import Dataset, load_dataset
from ferplus_data.labels import EMOTIONS, majority_labels
from ferplus_data.readers import demo, find_source
from ferplus_data.readers.kaggle_csv import KagglePair


@pytest.fixture(scope="module")
def data(demo_cache: Path) -> Dataset:
    return load_dataset("demo", cache_dir=demo_cache)


def test_sizes_classes_and_drops(data: Dataset) -> None:
    assert 1850 < len(data.train) < 2140 and 370 < len(data.val) < 430 and 370 < len(data.test) < 430
    for counts in data.class_counts.values():
        assert (counts > 0).all()
        # Imbalanced as FER+ is: neutral first, then happiness, the rarest many times rarer.
        assert counts.argsort()[-2:].tolist() == [1, 0]
        assert counts.max() > 10 * counts.min()
    for split in (data.train, data.val, data.test.reveal_labels()):
        assert 0 < split.in_training.mean() < 0.12


def test_it_is_read_through_the_csv_reader_from_the_cache(demo_cache: Path) -> None:
    _, source = find_source("demo", cache_dir=demo_cache)
    assert isinstance(source, KagglePair)
    assert source.pixels.is_relative_to(demo_cache)
    lines = source.votes.read_text().splitlines()
    assert len(lines) == 1 + sum(demo.ROWS)
    votes = np.array([[int(cell) for cell in line.split(",")[2:]] for line in lines[1:]])
    assert (votes.sum(axis=1) == demo.VOTERS).all()
    assert (votes[:, -2:].max(axis=0) > 5).all()  # some rows are unknown, some are not faces


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        demo.write(tmp_path / name, rows=(40, 10, 10))
    for name in ("fer2013.csv", "fer2013new.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, path.stat().st_size // 2)])
def test_a_damaged_demo_is_written_again(damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "write", lambda folder, write=demo.write: write(folder, rows=(40, 10, 10)))
    pair = demo.find(Path("demo"), tmp_path)
    assert pair is not None
    content = pair.votes.read_bytes()
    damage(pair.votes)
    again = demo.find(Path("demo"), tmp_path)
    assert again == pair
    assert pair.votes.read_bytes() == content


def test_not_even_the_voters_themselves_could_be_predicted_fully() -> None:
    """The best guess from the true vote probabilities meets the label of ten votes 9 times in 10."""
    random = np.random.default_rng(0)
    mixture, covered = demo.expressions(random, 400)
    opinions = demo.vote_probabilities(mixture, covered, np.zeros(400, dtype=bool))
    labels = majority_labels(
        random.multinomial(demo.VOTERS, opinions[:, None], size=(400, 60)).reshape(-1, 10)
    )
    guesses = np.repeat(opinions[:, : len(EMOTIONS)].argmax(axis=1), 60)
    kept = labels >= 0
    assert 0.88 < (labels == guesses)[kept].mean() < 0.96


def test_a_linear_model_learns_something_but_not_most(data: Dataset) -> None:
    """Ridge regression on 24x24 averages: clearly above the majority class, far from the ceiling."""

    def features(pixels: np.ndarray) -> np.ndarray:
        means = pixels.reshape(len(pixels), 24, 2, 24, 2).mean(axis=(2, 4)).reshape(len(pixels), -1)
        means = (means - means.mean(axis=1, keepdims=True)) / means.std(axis=1, keepdims=True)
        return np.hstack([means, np.ones((len(pixels), 1))])

    train = features(data.train.pixels())
    solution = np.linalg.solve(
        train.T @ train + 1000 * np.eye(train.shape[1]), train.T @ data.train.targets("majority")
    )
    scores = [
        (features(s.pixels()) @ solution).argmax(axis=1) == s.labels
        for s in (data.val, data.test.reveal_labels())
    ]
    majority = [s.labels == data.train.class_counts.argmax() for s in (data.val, data.test.reveal_labels())]
    score, floor = np.concatenate(scores).mean(), np.concatenate(majority).mean()
    assert floor + 0.05 < score < 0.7
