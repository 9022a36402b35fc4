"""What the benchmarks compare with: the network run whole in every step, fed image by image, as the baseline did it.

The model is that of `models.backbones.registry` at its own input size and precision, compiled with Keras's defaults. Each image
is parsed from its string of pixels, resized, augmented at the network's size by albumentations and has its mean taken off, one
after the other, in a `PyDataset`.
"""

from __future__ import annotations

import albumentations as A
import cv2
import keras
import numpy as np
from keras import layers

from ferplus_data.dataset import Split
from models.backbones.registry import BACKBONES, BGR_MEAN
from models.networks.freezing import freeze
from models.networks.weights import load_weights

AUGMENTATIONS = {
    "light": lambda size: [
        A.RandomResizedCrop((size, size), scale=(0.9, 1.0), ratio=(0.95, 1 / 0.95)),
        A.HorizontalFlip(),
    ],
    "baseline": lambda size: [
        A.RandomResizedCrop((size, size), scale=(0.8, 1.0), ratio=(4 / 5, 5 / 4)),
        A.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1),
        A.HorizontalFlip(),
    ],
}
"""Those of `ferplus_data.augment`, of albumentations' own transforms: size in pixels -> transforms."""


class PlainBatches(keras.utils.PyDataset):
    """Batches of float32 [B, s, s, 3] and one-hot targets [B, 8], each image from its string of pixels.

    Args:
        split: The rows.
        size: s, in pixels.
        batch_size: Images per batch.
        augmentation: Name in AUGMENTATIONS; None: the images as they are, in their order.
        repeat: How often an epoch goes over the rows.
        targets: float32 [n, 8]; None: one-hot majority labels.
        sample_weight: float32 [n] or None.
    """

    def __init__(
        self,
        split: Split,
        size: int,
        batch_size: int,
        *,
        augmentation: str | None,
        repeat: int = 1,
        targets: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.pixels = [" ".join(map(str, image.ravel())) for image in split.pixels()]
        self.targets = np.eye(8, dtype=np.float32)[split.labels] if targets is None else targets
        self.sample_weight = sample_weight
        self.size, self.batch_size = size, batch_size
        self.order = np.tile(np.arange(len(self.pixels)), repeat)
        self.augment = A.Compose(AUGMENTATIONS[augmentation](size)) if augmentation else None

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = np.stack([self.image(row) for row in chosen])
        if self.sample_weight is None:
            return images, self.targets[chosen]
        return images, self.targets[chosen], self.sample_weight[chosen]

    def image(self, row: int) -> np.ndarray:
        image = np.array(self.pixels[row].split(" "), dtype=np.uint8).reshape(48, 48)
        image = cv2.cvtColor(cv2.resize(image, (self.size, self.size)), cv2.COLOR_GRAY2BGR)
        if self.augment is not None:
            image = self.augment(image=image)["image"]
        return image.astype(np.float32) - np.array(BGR_MEAN, np.float32)

    def on_epoch_end(self) -> None:
        if self.augment is not None:
            np.random.shuffle(self.order)


def plain_model(
    backbone: str, size: int, freeze_before: int, *, dropout: float = 0.3, weights: str = "none"
) -> keras.Model:
    """Return the uncompiled network, float32 [B, s, s, 3] -> [B, 8]."""
    faces = keras.Input((size, size, 3))
    x = layers.Flatten(name="flatten")(BACKBONES[backbone].body(faces))
    x = layers.Dropout(dropout)(x)
    model = keras.Model(faces, layers.Dense(8, activation="softmax", name="dense")(x))
    momentum = BACKBONES[backbone].batch_norm_momentum
    for layer in model.layers:
        if momentum is not None and isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum
    load_weights(model, BACKBONES[backbone], weights)
    freeze(model, freeze_before)
    return model
