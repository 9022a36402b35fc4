"""Picture files -> 8-bit pictures, upright. docs/classify_onnx.py follows the same rules; a test compares the two."""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

NOT_READ_BY_PILLOW = ("EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5")
"""Formats that Pillow does not decode itself: Ghostscript runs EPS, Windows draws WMF, of the others only a header is read."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that whole numbers in 16- and 32-bit pictures may fill."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what makes the picture upright; 1 is upright."""

_SAMPLE_FORMAT, _SIGNED = 339, 2  # TIFF 6.0, section 19
_DIMMEST = 1 / 16  # a picture from 0 to 1 whose brightest place is darker is as black as one of 4 bits at 0
_DARKEST_DEEP = 63  # the most that 14 bits in 16 leave in the high byte


@functools.cache
def formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that it decodes by itself, in the order in which it tries them."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in NOT_READ_BY_PILLOW)


@functools.cache
def suffixes() -> frozenset[str]:
    """Return the suffixes of `formats`, such as ".png"."""
    known = {*formats(), "MPO"}  # several JPEG pictures in one file, which the JPEG format opens
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in known)


def open_picture(source: Path | IO[bytes]) -> tuple[Image.Image, str]:
    """Return the first picture in `source`, upright and 8 bits deep where it is not already, and what it was ("RGB 100x80").

    Raises:
        FileNotFoundError: There is no such file.
        Exception: Whatever Pillow raises for a file that it cannot decode; ValueError for values of unknown range.
    """
    with warnings.catch_warnings():
        # Of pictures that are large, or have odd metadata, and open all the same.
        warnings.simplefilter("ignore")
        with Image.open(source, formats=formats()) as image:
            # The decoders' arguments, with the raw mode such as RGB;16B among them; they are gone once it is loaded.
            in_16_bits = re.search(r";16[BLN]\b", str(image.tile))
            image.load()
            _refuse_signed(image)
            if in_16_bits and image.mode in ("L", "LA", "RGB", "RGBA"):
                _refuse_shallow(image)
            picture = _upright(image)
    given = f"{picture.mode} {image.width}x{image.height}"
    picture, depth = in_8_bits(picture)
    return picture, given + depth


def in_8_bits(picture: Image.Image) -> tuple[Image.Image, str]:
    """Return `picture` with brightness from 0 to 255, and the range it had (" of 12 bits"; "" if it was 0 to 255 already).

    Whole numbers are taken to fill the fewest of `DEPTHS` that hold the brightest one, or 16 bits if all are multiples of 257,
    as 8 bits made into 16 are. Floating-point numbers up to 1 are taken to be 0 to 1; above 16, as whole numbers are.

    Raises:
        ValueError: Values that are negative, not finite, above 65,535, or floating-point with a maximum between 1 and 16, or
            above 0 but so low that 0 to 1 would be a black picture.
    """
    if picture.mode == "F":
        return _from_floats(picture)
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        values = np.asarray(picture).astype(np.int64)
        whole = bool(values.size) and not (values % 257).any()
        return _scaled(picture, values, 16 if whole else _depth(values))
    return picture, ""


def face_of(picture: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return `picture`, of 8 bits, as a grey face uint8 [side, side]. Transparency is laid on white."""
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    grey = picture.convert("L")
    if grey.size != (side, side):
        grey = grey.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(grey, np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    turn = None
    # A picture whose EXIF block is damaged is still a picture; nothing says that it has to be turned.
    with contextlib.suppress(Exception):
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image.copy() if turn is None else image.transpose(turn)


def _from_floats(picture: Image.Image) -> tuple[Image.Image, str]:
    values = np.asarray(picture, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("floating-point values that are not finite")
    top = values.max(initial=0)
    if values.min(initial=0) < 0 or 1 < top < 16 or 0 < top < _DIMMEST:
        raise ValueError(
            f"floating-point values from {values.min():.4g} to {top:.4g}; expected 0 to 1, 0 to 255 or 0 to 65,535"
        )
    if top <= 1:
        return Image.fromarray(np.rint(values * 255).astype(np.uint8)), " of 0 to 1"
    return _scaled(picture, values, _depth(np.floor(values)))


def _depth(values: NDArray) -> int:
    """Return the fewest bits of `DEPTHS` that hold `values`."""
    low, top = values.min(initial=0), values.max(initial=0)
    if low < 0 or top > 65535:
        raise ValueError(
            f"values from {values.min():.6g} to {top:.6g}; expected none below 0 or above 65,535"
        )
    return next(bits for bits in DEPTHS if top < 2**bits)


def _scaled(picture: Image.Image, values: NDArray, bits: int) -> tuple[Image.Image, str]:
    top = 2**bits - 1
    bytes_ = np.rint(np.clip(values, 0, top) * (255 / top)).astype(np.uint8)
    if picture.has_transparency_data and isinstance(clear := picture.info.get("transparency"), int):
        bytes_[np.asarray(values) == clear] = 255  # white, as in pictures of 8 bits
    return Image.fromarray(bytes_), f" of {bits} bits"


def _refuse_signed(image: Image.Image) -> None:
    """Raise ValueError for a TIFF picture of signed bytes, which Pillow reads as unsigned ones."""
    tags = getattr(image, "tag_v2", {})
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        declared = tags.get(_SAMPLE_FORMAT, ())
        if _SIGNED in (declared if isinstance(declared, tuple) else (declared,)):
            raise ValueError("signed values; expected none below 0")


def _refuse_shallow(image: Image.Image) -> None:
    """Raise ValueError if 16-bit colours, of which Pillow keeps the high byte, are so dark that they seem to fill fewer bits."""
    colours = np.asarray(image if image.mode == "L" else image.convert(image.mode.removesuffix("A")))
    if colours.max(initial=0) <= _DARKEST_DEEP:
        raise ValueError("16-bit colours that fill 14 bits or fewer; expected all 16, or 8-bit colours")
