"""What Keras is fed: every row once an epoch, and the same again after a resume."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.augment import AUGMENTATIONS
from ferplus_data.batches import Batches
from ferplus_data.dataset import Split, load_dataset


@pytest.fixture(scope="module")
def split(demo_cache: Path) -> Split:
    """About a tenth of the demo's validation split: a number of rows that 16 does not divide."""
    return load_dataset("demo", subset=0.1, cache_dir=demo_cache).val


def numbered(split: Split) -> np.ndarray:
    """Targets that tell which row they belong to."""
    targets = np.zeros((len(split), 8), dtype=np.float32)
    targets[:, 0] = np.arange(len(split))
    return targets


def whole_epoch(batches: Batches) -> list[tuple[np.ndarray, ...]]:
    """One pass as Keras makes it."""
    batches.on_epoch_begin()
    epoch = [batches[index] for index in range(len(batches))]
    batches.on_epoch_end()
    return epoch


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_once_with_its_image_target_and_weight(shuffle: bool, split: Split) -> None:
    assert len(split) % 16
    weights = np.linspace(0, 2, len(split), dtype=np.float32)
    batches = Batches(
        split, batch_size=16, targets=numbered(split), sample_weight=weights, shuffle=shuffle, seed=5
    )
    assert len(batches) == len(split) // 16 + 1
    epoch = whole_epoch(batches)
    assert [len(batch[0]) for batch in epoch] == [16] * (len(split) // 16) + [len(split) % 16]
    images, targets, given = (np.concatenate(part) for part in zip(*epoch, strict=True))
    assert images.dtype == np.uint8 and images.shape[1:] == (48, 48, 1)
    assert targets.dtype == given.dtype == np.float32
    order = targets[:, 0].astype(int)
    assert sorted(order) == list(range(len(split)))
    assert (order.tolist() != sorted(order)) == shuffle
    np.testing.assert_array_equal(images, split.pixels()[order])
    np.testing.assert_array_equal(given, weights[order])


def test_without_weights_there_are_two_parts(split: Split) -> None:
    assert len(Batches(split, batch_size=16, targets=numbered(split))[0]) == 2


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_a_resumed_training_sees_what_an_uninterrupted_one_sees(augmentation: str, split: Split) -> None:
    def make(epoch: int = 0, seed: int = 1) -> Batches:
        return Batches(
            split, batch_size=16, targets=numbered(split), augmentation=augmentation, seed=seed, epoch=epoch
        )

    uninterrupted = make()
    epochs = [whole_epoch(uninterrupted) for _ in range(3)]
    resumed = make(epoch=2)
    # Batches may be asked for in any order, by any worker, more than once.
    for index in reversed(range(len(resumed))):
        for expected, found in zip(epochs[2][index], resumed[index], strict=True):
            np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(epochs[0][0][1], epochs[1][0][1])
    assert not np.array_equal(make(seed=1)[0][1], make(seed=2)[0][1])


def test_augmentation_changes_with_the_epoch_and_the_batch(split: Split) -> None:
    twice = split.take(np.repeat([0], 4))
    batches = Batches(twice, batch_size=2, targets=numbered(twice), augmentation="baseline", shuffle=False)
    images = [batch[0].tobytes() for _ in range(2) for batch in whole_epoch(batches)]
    assert len(set(images)) == len(images) == 4


@pytest.mark.parametrize("workers", [1, 3])
def test_keras_moves_the_epochs_on(workers: int, split: Split) -> None:
    """Epochs of `fit` are epochs 0, 1, 2: for a model not built yet, and for a built one that is resumed."""

    class Recorder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[list[int]] = []
            self.dense = keras.layers.Dense(8)

        def call(self, images):
            return self.dense(keras.ops.cast(images[:, 0, :8, 0], "float32"))

        def train_step(self, data):
            self.seen.append(keras.ops.convert_to_numpy(data[1])[:, 0].astype(int).tolist())
            return {"loss": 0.0}

    expected = []
    reference = Batches(split, batch_size=16, targets=numbered(split), seed=9)
    for _ in range(4):
        expected += [batch[1][:, 0].astype(int).tolist() for batch in whole_epoch(reference)]
    model = Recorder()
    model.compile(run_eagerly=True)
    for first_epoch, epochs in ((0, 3), (3, 1)):
        batches = Batches(split, batch_size=16, targets=numbered(split), seed=9, epoch=first_epoch)
        batches.workers = workers
        model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
        assert batches.epoch == first_epoch + epochs
    assert model.seen == expected


def test_wrong_arguments_are_refused(split: Split) -> None:
    targets = numbered(split)
    with pytest.raises(ValueError, match="Expected batch_size of at least 1"):
        Batches(split, batch_size=0, targets=targets)
    with pytest.raises(ValueError, match="Expected targets for"):
        Batches(split, batch_size=4, targets=targets[:-1])
    with pytest.raises(ValueError, match="Expected sample_weight for"):
        Batches(split, batch_size=4, targets=targets, sample_weight=targets[:-1, 0])
    with pytest.raises(KeyError, match="sepia"):
        Batches(split, batch_size=4, targets=targets, augmentation="sepia")
    with pytest.raises(IndexError):
        Batches(split, batch_size=4, targets=targets)[len(split)]
