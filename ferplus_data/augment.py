"""Augmentation at the native 48x48 with albumentations: uint8 in, uint8 out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
    from .random_view import RandomView

    return [RandomView(scale=(0.9, 1.0), ratio=(0.95, 1 / 0.95))]


def baseline() -> Transforms:
    """Flip, crops of 80 to 100 % stretched up to 5:4, other light: what the baseline's published figures were trained with."""
    from .random_view import RandomView

    return [RandomView(scale=(0.8, 1.0), ratio=(4 / 5, 5 / 4), light=0.1, light_p=0.5)]


def strong() -> Transforms:
    """For long trainings: tighter crops, rotation, stronger light, half of the faces partly covered."""
    from .random_view import RandomView

    return [
        RandomView(
            scale=(0.65, 1.0),
            ratio=(4 / 5, 5 / 4),
            rotation=15.0,
            rotation_p=0.7,
            light=0.25,
            light_p=0.7,
            cover=(0.02, 0.1),
            cover_p=0.5,
        )
    ]


AUGMENTATIONS: dict[str, Callable[[], Transforms]] = {
    "none": none,
    "light": light,
    "baseline": baseline,
    "strong": strong,
}
"""Name -> the albumentations transforms for one uint8 image [48, 48]."""

# Transforms take longer to build than a batch to vary, and their random state must not be shared: one list per thread.
# They are called one after the other: A.Compose would check every image anew, a fifth of the time.
_built = threading.local()


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
        steps = _transforms(name, transforms)
        if not steps:
            return images
        for step, child in zip(steps, np.random.SeedSequence(seed).generate_state(len(steps)), strict=True):
            step.set_random_seed(int(child))
        varied = np.empty_like(images)
        for index, image in enumerate(images):
            for step in steps:
                image = step(image=image)["image"]
            varied[index] = image
        return varied

    return apply


def _transforms(name: str, build: Callable[[], Transforms]) -> Transforms:
    """This thread's transforms of that name."""
    built: dict[str, Transforms] = _built.__dict__
    if name not in built:
        built[name] = build()
    return built[name]
