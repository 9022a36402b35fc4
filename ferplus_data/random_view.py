"""Crop, rotation, flip, light and cover of a small image in one transform.

albumentations' own transforms take three to five calls of 20 to 30 microseconds for it, more than the arithmetic on 48x48
pixels; this is one call.
"""

from __future__ import annotations

import math
from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

# Threads cost more than they save on images of this size.
cv2.setNumThreads(0)

Rectangle = tuple[int, int, int, int]
"""Top, bottom, left, right."""
_LEVELS = np.arange(256, dtype=np.float32)
_COVER_RATIO = (0.5, 2.0)
_GREY = 128
_FLIP = 0.5
"""Probability of a mirror image."""


class RandomView(A.ImageOnlyTransform):
    """A random crop of the image, turned, flipped and relit, at the image's own size.

    Args:
        scale: area of the crop, as a share of the image's.
        ratio: its width to its height. Both as in `albumentations.RandomResizedCrop`.
        rotation: largest turn about the centre, in degrees, either way.
        rotation_p: probability of a turn. The image's edge is repeated outwards.
        light: largest change of brightness (as a share of 255) and of contrast, each way, as in
            `albumentations.RandomBrightnessContrast`.
        light_p: probability of other light.
        cover: area of a rectangle of middle grey laid over the image, as a share of it (Zhong et al. 2020, Random Erasing);
            its ratio is between 1/2 and 2.
        cover_p: probability of a rectangle.
    """

    def __init__(
        self,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        *,
        rotation: float = 0.0,
        rotation_p: float = 0.0,
        light: float = 0.0,
        light_p: float = 0.0,
        cover: tuple[float, float] = (0.0, 0.0),
        cover_p: float = 0.0,
    ) -> None:
        super().__init__(p=1.0)
        self.scale, self.ratio = scale, ratio
        self.rotation, self.rotation_p = rotation, rotation_p
        self.light, self.light_p = light, light_p
        self.cover, self.cover_p = cover, cover_p

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        height, width = params["shape"][:2]
        random, uniform = self.py_random.random, self.py_random.uniform
        return {
            "crop": self._rectangle(height, width, self.scale, self.ratio) or (0, height, 0, width),
            "flip": random() < _FLIP,
            "angle": uniform(-self.rotation, self.rotation) if random() < self.rotation_p else 0.0,
            "light": (1 + uniform(-self.light, self.light), 255 * uniform(-self.light, self.light))
            if random() < self.light_p
            else None,
            "cover": self._rectangle(height, width, self.cover, _COVER_RATIO)
            if random() < self.cover_p
            else None,
        }

    def _rectangle(
        self, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
    ) -> Rectangle | None:
        """A rectangle in the image, or None when ten drawn ones did not fit, as torchvision began it."""
        random, uniform = self.py_random.random, self.py_random.uniform
        for _ in range(10):
            area = height * width * uniform(*scale)
            shape = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
            w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < w <= width and 0 < h <= height:
                top, left = int(random() * (height - h + 1)), int(random() * (width - w + 1))
                return top, top + h, left, left + w
        return None

    def apply(
        self,
        img: NDArray[np.uint8],
        crop: Rectangle = (0, 48, 0, 48),
        flip: bool = False,
        angle: float = 0.0,
        light: tuple[float, float] | None = None,
        cover: Rectangle | None = None,
        **params: Any,
    ) -> NDArray[np.uint8]:
        height, width = img.shape[:2]
        top, bottom, left, right = crop
        out = cv2.resize(img[top:bottom, left:right], (width, height), interpolation=cv2.INTER_LINEAR)
        if angle:
            turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
            out = cv2.warpAffine(out, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        if flip:
            out = cv2.flip(out, 1)
        if light:
            contrast, brightness = light
            out = cv2.LUT(out, np.clip(_LEVELS * contrast + brightness, 0, 255).astype(np.uint8))
        if cover:
            top, bottom, left, right = cover
            out[top:bottom, left:right] = _GREY
        return out
