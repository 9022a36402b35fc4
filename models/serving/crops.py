"""A user's own function that finds the face in a picture."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

Crop = Callable[[Image.Image], Image.Image]
"""A picture of any size and mode -> the part of it that is one face."""


def cropped(picture: Image.Image, crop: Crop) -> Image.Image:
    """Return what `crop` makes of `picture`.

    Raises:
        ValueError: It raised, or returned something else than a picture.
    """
    try:
        found = crop(picture)
    except (Exception, SystemExit) as error:  # the user's own code
        raise ValueError(f"--crop raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Image.Image):
        raise ValueError(f"expected --crop to return a PIL.Image.Image, found {type(found).__name__}")
    if not all(found.size):
        raise ValueError(f"expected --crop to return a picture, found one of {found.width}x{found.height}")
    return found
