"""A user's own function that finds the face in a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from ferplus_data.errors import InputError

Crop = Callable[[Image.Image], Image.Image]
"""A picture of any size and mode -> the part of it that is one face."""


def load_crop(name: str) -> Crop:
    """Return the function that FILE.py:FUNCTION names; it takes and gives a PIL.Image.Image.

    Raises:
        InputError: There is no such file or function, or the file does not run.
    """
    file, _, function = name.rpartition(":")
    path = Path(file)
    if not file.endswith(".py") or not path.is_file():
        raise InputError(f"--crop {name}: expected FILE.py:FUNCTION, found no such file as {file or name}")
    spec = importlib.util.spec_from_file_location(f"ferplus_crop_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code
        raise InputError(f"--crop {name}: {path} does not run: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"--crop {name}: expected a function {function} in {path}, found none")
    return found


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
