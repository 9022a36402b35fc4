"""dlib's file of weights for its face-recognition network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ferplus_data.errors import InputError
from models.backbones.dlib_face import PACKAGE, WEIGHTS_FILE, convolution_sizes


class Affine(NamedTuple):
    """The scale and shift, float32 [C] each, that stand for a batch normalisation in the published network."""

    gamma: np.ndarray
    beta: np.ndarray


class Convolution(NamedTuple):
    """Kernel, float32 [h, w, in, out] as Keras has it, and bias, float32 [out], with the affine layer that follows."""

    kernel: np.ndarray
    bias: np.ndarray
    affine: Affine


class Weights(NamedTuple):
    """What the file holds: 29 convolutions from input to output, and the last layer's matrix, float32 [256, 128]."""

    convolutions: list[Convolution]
    descriptor: np.ndarray


def read_weights(path: Path) -> Weights:
    """Return the weights in dlib's file `path`.

    Raises:
        InputError: It is missing, damaged or another file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: expected {WEIGHTS_FILE}, found: {error.strerror or error}; mend the path after --weights"
        ) from error
    reader = _Reader(content)
    try:
        channels, convolutions = 3, []
        for filters, size in convolution_sizes():
            kernel, bias = reader.parameters(b"con_4", filters * channels * size * size, filters)
            affine = Affine(*reader.parameters(b"affine_", filters, filters))
            kernel = kernel.reshape(filters, channels, size, size).transpose(2, 3, 1, 0)
            convolutions.append(Convolution(np.ascontiguousarray(kernel), bias, affine))
            channels = filters
        (descriptor,) = reader.parameters(b"fc_2", channels * 128, sizes_before=2)
    except ValueError as error:
        raise InputError(
            f"{path}: expected dlib's {WEIGHTS_FILE}, found {error}; take the file of the "
            f"package {PACKAGE}, or use --weights none"
        ) from error
    return Weights(convolutions, descriptor.reshape(channels, 128))


class _Reader:
    """A cursor in dlib's serialisation, which names each layer before its tensor.

    Integers are packed: one byte, whose low half says how many bytes follow and whose highest bit is the sign, then those bytes,
    the lowest first. A tensor is the integer 2, four sizes, and its little-endian float32 values (dlib's serialize.h, tensor.h).
    """

    def __init__(self, content: bytes) -> None:
        self._content, self._position = content, 0

    def parameters(self, layer: bytes, *counts: int, sizes_before: int = 0) -> list[np.ndarray]:
        """Return the parameters of the next layer of the name, float32, in parts of `counts` values; `sizes_before` integers
        stand between its name and its tensor.

        Raises:
            ValueError: They are not there, or there are more or fewer.
        """
        name = bytes([1, len(layer)]) + layer
        found = self._content.find(name, self._position)
        if found < 0:
            raise ValueError(
                f"no further layer {layer.decode()!r} after byte {self._position:,} of {len(self._content):,}"
            )
        self._position = found + len(name)
        version, *sizes = [self._integer() for _ in range(sizes_before + 5)][sizes_before:]
        if version != 2 or min(sizes) < 0 or np.prod(sizes, dtype=float) != sum(counts):
            raise ValueError(
                f"at byte {found:,} a layer {layer.decode()!r} of sizes {sizes} (version {version}) where {sum(counts):,} "
                "values belong"
            )
        end = self._position + 4 * sum(counts)
        if end > len(self._content):
            raise ValueError(
                f"an end after {len(self._content):,} bytes, in the midst of layer {layer.decode()!r}"
            )
        values = np.frombuffer(self._content, "<f4", sum(counts), self._position).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"at byte {found:,} a layer {layer.decode()!r} with values that are no numbers")
        self._position = end
        return np.split(values, np.cumsum(counts)[:-1])

    def _integer(self) -> int:
        head = self._content[self._position : self._position + 1]
        length = head[0] & 0x0F if head else 0
        digits = self._content[self._position + 1 : self._position + 1 + length]
        if not 1 <= length <= 8 or len(digits) < length:
            raise ValueError(f"no integer at byte {self._position:,} of {len(self._content):,}")
        self._position += 1 + length
        return int.from_bytes(digits, "little") * (-1 if head[0] & 0x80 else 1)
