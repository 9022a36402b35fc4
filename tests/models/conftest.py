"""A tiny data set in memory."""

from __future__ import annotations

import numpy as np
import pytest

from ferplus_data.dataset import Dataset, HeldOut, Split
from models.networks.compiled import Networks


def _split(images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> Split:
    votes = np.zeros((len(rows), 10), np.uint8)
    votes[np.arange(len(rows)), labels] = 10
    nowhere_else = np.zeros(len(rows), bool)
    return Split(images, rows, labels, votes, rows.astype(np.int32), nowhere_else, nowhere_else.copy())


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """100 training, 40 validation and 30 test faces whose brightness tells the class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, 170)
    images = (labels[:, None, None] * 30 + rng.integers(0, 12, (170, 48, 48))).astype(np.uint8)
    rows = np.arange(170)
    parts = [slice(0, 100), slice(100, 140), slice(140, 170)]
    train, val, test = (_split(images, rows[part], labels[part]) for part in parts)
    return Dataset(train, val, HeldOut(test), val, HeldOut(test), fingerprint="0" * 64, source="tiny")


@pytest.fixture(scope="session")
def networks() -> Networks:
    """Compiled networks, for tests that train: tracing takes longer than training on so few faces."""
    return Networks(keep=12)
