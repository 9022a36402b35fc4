"""A split as Keras sees it: batches whose order and augmentation can be repeated at any epoch."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from .augment import AUGMENTATIONS, augment
from .dataset import Split


class Batches(keras.utils.PyDataset):
    """Batches of one split, all rows in every epoch, the last batch as short as it comes.

    Order and augmentation depend on nothing but (seed, epoch, batch index): a training resumed with `epoch=k`
    sees what an uninterrupted one sees from its epoch k on. For that, pass `shuffle=False` to `fit`: Keras
    would otherwise ask for the batches in an order of its own, drawn from Python's global random state.

    Args:
        split: the rows.
        batch_size: images per batch, at least 1.
        targets: float32 [n, 8], aligned with the split's rows (`split.targets(kind)`).
        augmentation: a key of `augment.AUGMENTATIONS`.
        seed: non-negative.
        sample_weight: float32 [n] or None.
        shuffle: a new order every epoch; False keeps the split's order.
        epoch: of the first pass, from 0. `on_epoch_begin` and then `on_epoch_end`, which Keras calls around
            every pass, move on by one.

    Yields:
        (uint8 [B, 48, 48, 1], float32 [B, 8]) or, with weights, (..., float32 [B]).

    Raises:
        ValueError: the lengths differ, or the batch size is below 1.
        KeyError: no such augmentation.

    Example:
        >>> from ferplus_data.dataset import load_dataset
        >>> train = load_dataset("demo").train
        >>> batches = Batches(train, batch_size=64, targets=train.targets("soft"), augmentation="baseline")
        >>> batches[0][0].shape
        (64, 48, 48, 1)
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        targets: NDArray[np.float32],
        augmentation: str = "none",
        seed: int = 0,
        sample_weight: NDArray[np.float32] | None = None,
        shuffle: bool = True,
        epoch: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"Expected batch_size of at least 1. Received: {batch_size}.")
        for name, values in (("targets", targets), ("sample_weight", sample_weight)):
            if values is not None and len(values) != len(split):
                raise ValueError(f"Expected {name} for {len(split)} rows. Received: {len(values)}.")
        if augmentation not in AUGMENTATIONS:
            raise KeyError(f"Expected augmentation in {sorted(AUGMENTATIONS)}. Received: {augmentation!r}.")
        self.split = split
        self.batch_size = batch_size
        self.targets = targets
        self.augmentation = augmentation
        self.seed = seed
        self.sample_weight = sample_weight
        self.shuffle = shuffle
        self.epoch = epoch
        self._order = self._draw_order()
        self._begun = False

    def __len__(self) -> int:
        return -(-len(self.split) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"Expected a batch index below {len(self)}. Received: {index}.")
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        inputs = self.inputs(chosen, index)
        if self.sample_weight is None:
            return inputs, self.targets[chosen]
        return inputs, self.targets[chosen], self.sample_weight[chosen]

    def inputs(self, chosen: NDArray[np.int64], index: int) -> NDArray:
        """What the network is given for the rows `chosen` (positions in the split) of batch `index`: [B, ...]."""
        images = np.asarray(self.split.images[self.split.rows[chosen]])
        batch_seed = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(1)[0]
        return augment(self.augmentation, int(batch_seed))(images)[..., None]

    def begin(self, epoch: int) -> None:
        """Make `epoch` the present one, whatever has been passed over: under JAX, the first `fit` of a model begins and ends an
        epoch that is none, for the shapes."""
        if epoch != self.epoch:
            self.epoch = epoch
            self._order = self._draw_order()

    def on_epoch_begin(self) -> None:
        self._begun = True

    def on_epoch_end(self) -> None:
        # `fit` of a model that is not built yet looks at two batches and then ends an epoch that never began.
        # It must not count, or a first training and a resumed one would disagree about the epochs by one.
        if self._begun:
            self.epoch += 1
            self._order = self._draw_order()
        self._begun = False

    def _draw_order(self) -> NDArray[np.int64]:
        """Positions in the split, int64 [n], for the present epoch."""
        if not self.shuffle:
            return np.arange(len(self.split))
        return np.random.default_rng((self.seed, self.epoch)).permutation(len(self.split))
