"""Augmentation at the native 48x48 with albumentations: uint8 in, uint8 out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .readers.decoded import SIDE

# Before albumentations is imported anywhere: it would otherwise look on the network for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

if TYPE_CHECKING:
    import albumentations

Images = NDArray[np.uint8]
Transforms = list["albumentations.BasicTransform"]


def none() -> Transforms:
    """The images as they are."""
    return []


def light() -> Transforms:
    """Flip, and a crop that shifts the face by at most about three pixels."""
    import albumentations as A

    return [
        A.HorizontalFlip(p=0.5),
        A.RandomResizedCrop((SIDE, SIDE), scale=(0.9, 1.0), ratio=(0.95, 1 / 0.95), p=1.0),
    ]


def seed() -> Transforms:
    """What the seed's published figures were trained with."""
    import albumentations as A

    return [
        A.RandomResizedCrop((SIDE, SIDE), scale=(0.8, 1.0), ratio=(4 / 5, 5 / 4), p=1.0),
        A.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5),
        A.HorizontalFlip(p=0.5),
    ]


def strong() -> Transforms:
    """For long trainings: tighter crops, rotation, stronger light, half of the faces partly covered."""
    import albumentations as A

    from .rotation import Rotation

    return [
        A.RandomResizedCrop((SIDE, SIDE), scale=(0.65, 1.0), ratio=(4 / 5, 5 / 4), p=1.0),
        Rotation(limit=15.0, p=0.7),
        A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.25, p=0.7),
        A.HorizontalFlip(p=0.5),
        A.Erasing(scale=(0.02, 0.1), ratio=(0.5, 2.0), fill=128, p=0.5),
    ]


AUGMENTATIONS: dict[str, Callable[[], Transforms]] = {
    "none": none,
    "light": light,
    "seed": seed,
    "strong": strong,
}
"""Name -> the albumentations transforms for one uint8 image [48, 48]."""

# A pipeline takes 0.7 ms to build, ten images' worth of work, and its random state must not be shared: one
# per thread.
_pipelines = threading.local()


def augment(name: str, seed: int) -> Callable[[Images], Images]:
    """A function that varies each image of a batch on its own.

    Args:
        name: a key of `AUGMENTATIONS`.
        seed: the same seed and batch give the same result, in any thread and however often it is called.

    Returns:
        uint8 [B, 48, 48] -> uint8 [B, 48, 48]; the input is left as it is.

    Raises:
        KeyError: no such augmentation.
    """
    transforms = AUGMENTATIONS[name]

    def apply(images: Images) -> Images:
        pipeline = _pipeline(name, transforms)
        if pipeline is None:
            return images
        pipeline.set_random_seed(seed)
        varied = np.empty_like(images)
        for index, image in enumerate(images):
            varied[index] = pipeline(image=image)["image"]
        return varied

    return apply


def _pipeline(name: str, transforms: Callable[[], Transforms]) -> albumentations.Compose | None:
    """This thread's pipeline of that name, or None where there is nothing to do."""
    built: dict[str, albumentations.Compose | None] = _pipelines.__dict__.setdefault("built", {})
    if name not in built:
        steps = transforms()
        if steps:
            import albumentations as A

            built[name] = A.Compose(steps, seed=0)
        else:
            built[name] = None
    return built[name]
