"""dlib's face-recognition network: 29 convolutions, 5.6 million parameters, trained on some 3 million faces.

Architecture: dlib's `dnn_face_recognition_ex.cpp` (Davis King 2017), a ResNet of 3x3 convolutions with fewer layers and filters
than ResNet34. The weights, `dlib_face_recognition_resnet_model_v1.dat`, are in the public domain and come with the package
face-recognition-models, of which only that file is read: it is not imported.

Importing this file imports no Keras.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ferplus_data.errors import InputError

WEIGHTS_FILE = "dlib_face_recognition_resnet_model_v1.dat"
PACKAGE = "face-recognition-models"
RGB_MEAN = (122.782, 117.001, 104.298)
"""Channel means on the 0-255 scale, of dlib's input layer, which divides by 256 then."""
SCALE = 1 / 256
STEM_FILTERS = 32
STAGES = ((3, 32), (4, 64), (3, 128), (3, 256), (1, 256))
"""Residual blocks and filters of each stage; all stages but the first halve the resolution in their first block."""
_EPSILON = (
    1e-3  # of the layers below; their variance is 1 less that, so that they do nothing but scale and shift
)


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


def body(x: Any) -> Any:
    """The network without its last layer, built flat into the caller's graph.

    Args:
        x: KerasTensor [B, s, s, 3], RGB, prepared as dlib does: (RGB - RGB_MEAN) / 256; s at least 64.

    Returns:
        KerasTensor [B, 1, 1, 256], the output of the layer named avg_pool.
    """
    from keras import layers

    x = _convolution(x, STEM_FILTERS, "conv1", size=7, strides=2)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, (blocks, filters) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            x = _block(x, filters, f"conv{stage}_{block}", halve=stage > 2 and block == 1)
    return layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)


def _block(x: Any, filters: int, name: str, *, halve: bool) -> Any:
    from keras import layers

    branch = _convolution(x, filters, f"{name}_reduce", size=3, strides=2 if halve else 1)
    branch = layers.Activation("relu", name=f"{name}_reduce_relu")(branch)
    branch = _convolution(branch, filters, f"{name}_increase", size=3, strides=1)
    if halve:
        x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
        x, branch = _as_large(x, branch, f"{name}_pool"), _as_large(branch, x, name)
    x = layers.Add(name=f"{name}_add")([x, branch])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _convolution(x: Any, filters: int, name: str, *, size: int, strides: int) -> Any:
    from keras import layers

    padding = "same" if strides == 1 else "valid"  # dlib pads no convolution that strides
    x = layers.Conv2D(filters, size, strides=strides, padding=padding, name=name)(x)
    return layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_affine")(x)


def _as_large(x: Any, other: Any, name: str) -> Any:
    """`x` with zeros below, to the right and in further channels, to the size of `other`: dlib adds what differs in size so."""
    from keras import layers

    rows, columns, channels = (
        max(0, theirs - mine) for mine, theirs in zip(x.shape[1:], other.shape[1:], strict=True)
    )
    if rows or columns:
        x = layers.ZeroPadding2D(((0, rows), (0, columns)), name=f"{name}_zeros")(x)
    if channels:
        # Channels last read as channels first: the layer pads the last two axes then, of which the last are the channels.
        pad = layers.ZeroPadding2D(
            ((0, 0), (0, channels)), data_format="channels_first", name=f"{name}_channels"
        )
        x = pad(x)
    return x


def installed_weights() -> Path | None:
    """Return where the package face-recognition-models keeps the weights; None if it is not installed."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name == WEIGHTS_FILE]
    return next((path for path in found if path.is_file()), None)


def read_weights(path: Path) -> Weights:
    """Return the weights in dlib's file `path`.

    Raises:
        InputError: It is missing, damaged or another file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected {WEIGHTS_FILE}, found: {error.strerror or error}") from error
    reader = _Reader(content)
    try:
        channels, convolutions = 3, []
        for filters, size in _convolution_sizes():
            kernel, bias = reader.parameters(b"con_4", filters * channels * size * size, filters)
            affine = Affine(*reader.parameters(b"affine_", filters, filters))
            kernel = kernel.reshape(filters, channels, size, size).transpose(2, 3, 1, 0)
            convolutions.append(Convolution(np.ascontiguousarray(kernel), bias, affine))
            channels = filters
        (descriptor,) = reader.parameters(b"fc_2", channels * 128, sizes_before=2)
    except ValueError as error:
        raise InputError(
            f"{path}: expected dlib's {WEIGHTS_FILE}, found {error}; take the file of the package {PACKAGE}"
        ) from error
    return Weights(convolutions, descriptor.reshape(channels, 128))


def assign_weights(model: Any, weights: Weights) -> None:
    """Give the layers of `body` in the keras.Model `model` the published weights. In inference mode its normalisations then only
    scale and shift, as the affine layers do."""
    names = ["conv1"]
    for stage, (blocks, _) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            names += [f"conv{stage}_{block}_reduce", f"conv{stage}_{block}_increase"]
    for name, (kernel, bias, (gamma, beta)) in zip(names, weights.convolutions, strict=True):
        model.get_layer(name).set_weights([kernel, bias])
        mean, variance = np.zeros_like(beta), np.full_like(beta, 1 - _EPSILON)
        model.get_layer(f"{name}_affine").set_weights([gamma, beta, mean, variance])


def _convolution_sizes() -> list[tuple[int, int]]:
    """(filters, kernel size) of each convolution, from input to output."""
    return [(STEM_FILTERS, 7), *((filters, 3) for blocks, filters in STAGES for _ in range(2 * blocks))]


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
