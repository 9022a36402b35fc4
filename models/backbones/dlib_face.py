"""dlib's face-recognition network: 29 convolutions, 5.6 million parameters, trained on some 3 million faces.

Architecture: dlib's `dnn_face_recognition_ex.cpp` (Davis King 2017), a ResNet of 3x3 convolutions with fewer layers and filters
than ResNet34. The weights, `dlib_face_recognition_resnet_model_v1.dat`, are in the public domain and come with the package
face-recognition-models, of which only that file is read: it is not imported.

Published, each batch normalisation is merged with its statistics into a scale and shift. Here it is one again, with statistics
measured on faces of FER+ (`STATISTICS`) and a gamma and beta that undo them: in inference mode, frozen layers included, the
network computes what dlib's does, and what is not frozen trains. Held as scales and shifts it trains badly: after three epochs
on an eighth of FER+ (AdamW, 1e-4, cosine, one run each) 46.9 % [44.5, 49.3] of 1,652 validation faces are right, and 78.5 %
[76.4, 80.4] this way.

Importing this file imports no Keras.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ferplus_data.errors import InputError

WEIGHTS_FILE = "dlib_face_recognition_resnet_model_v1.dat"
PACKAGE = "face-recognition-models"
RGB_MEAN = (122.782, 117.001, 104.298)
"""Channel means on the 0-255 scale, of dlib's input layer, which then divides by SCALE."""
SCALE = 256.0
STEM_FILTERS = 32
STAGES = ((3, 32), (4, 64), (3, 128), (3, 256), (1, 256))
"""Residual blocks and filters of each stage; all stages but the first halve the resolution in their first block."""
STATISTICS = Path(__file__).with_name("dlib_face_statistics.npy")
"""Mean and variance of what each batch normalisation is given at 128 pixels, float32 [2, 3552], one layer's channels after the
other's from input to output; over 256 training faces of FER+, by benchmarks/dlib_statistics.py."""
_EPSILON = 1e-3  # of the batch normalisations, Keras's default


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
        x: KerasTensor [B, s, s, 3], RGB, prepared as dlib does: (RGB - RGB_MEAN) / SCALE. dlib's own takes s of 103 and more.

    Returns:
        KerasTensor [B, 1, 1, 256], the output of the layer named avg_pool.
    """
    from keras import layers

    x = _convolution(x, STEM_FILTERS, "conv1", size=7, strides=2, padding="valid")
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, (blocks, filters) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            x = _block(x, filters, f"conv{stage}_{block}", halve=stage > 2 and block == 1)
    return layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)


def _block(x: Any, filters: int, name: str, *, halve: bool) -> Any:
    from keras import layers

    # A picture of one or two pixels is halved to one, where dlib's convolution would leave none.
    padding = "same" if not halve or x.shape[1] < 3 else "valid"
    branch = _convolution(x, filters, f"{name}_reduce", strides=2 if halve else 1, padding=padding)
    branch = layers.Activation("relu", name=f"{name}_reduce_relu")(branch)
    branch = _convolution(branch, filters, f"{name}_increase", padding="same")
    if halve:
        x = layers.AveragePooling2D(2, padding=padding, name=f"{name}_pool")(x)
        x, branch = _same_shape(x, branch, name)
    x = layers.Add(name=f"{name}_add")([x, branch])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def block_layers() -> list[int]:
    """Return how many layers each block has, from input to output, at any image size."""
    lengths, before = [], STEM_FILTERS
    for stage, (blocks, filters) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            halving = (2 + (filters > before)) if stage > 2 and block == 1 else 0  # pooling, zeros, channels
            lengths.append(7 + halving)
            before = filters
    return lengths


def _convolution(x: Any, filters: int, name: str, *, size: int = 3, strides: int = 1, padding: str) -> Any:
    from keras import layers

    x = layers.Conv2D(filters, size, strides=strides, padding=padding, name=name)(x)
    return layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_affine")(x)


def _same_shape(pooled: Any, branch: Any, name: str) -> tuple[Any, Any]:
    """`pooled` with zeros in further channels, `branch` with zeros below and to the right: dlib adds what differs in size so."""
    from keras import layers

    missing = (
        pooled.shape[1] - branch.shape[1]
    )  # a layer even where it is 0, so that freeze indices hold at any image size
    branch = layers.ZeroPadding2D(((0, missing), (0, missing)), name=f"{name}_zeros")(branch)
    channels = branch.shape[3] - pooled.shape[3]
    if channels:
        # Channels last read as channels first: the layer pads the last two axes then, of which the last are the channels.
        pad = layers.ZeroPadding2D(
            ((0, 0), (0, channels)), data_format="channels_first", name=f"{name}_channels"
        )
        pooled = pad(pooled)
    return pooled, branch


def load(model: Any, path: Path) -> None:
    """Give the layers of `body` in the keras.Model `model` the weights in dlib's file `path`.

    Raises:
        InputError: It is missing, damaged or another file. The model is then as it was.
    """
    assign_weights(model, read_weights(path))


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
        for filters, size in _convolution_sizes():
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


def assign_weights(model: Any, weights: Weights) -> None:
    """Give the layers of `body` in the keras.Model `model` the weights; its batch normalisations have the moving statistics
    `STATISTICS`, and in inference mode only scale and shift as the affine layers do."""
    ends = np.cumsum([filters for filters, _ in _convolution_sizes()])[:-1]
    means, variances = (np.split(values, ends) for values in np.load(STATISTICS))
    layers = zip(convolution_names(), weights.convolutions, means, variances, strict=True)
    for name, (kernel, bias, (gamma, beta)), mean, variance in layers:
        model.get_layer(name).set_weights([kernel, bias])
        normalised = [gamma * np.sqrt(variance + _EPSILON), beta + gamma * mean, mean, variance]
        model.get_layer(f"{name}_affine").set_weights(normalised)


def convolution_names() -> list[str]:
    """The layers with kernels, from input to output; each is followed by its batch normalisation, NAME_affine."""
    blocks = [
        f"conv{stage}_{block}"
        for stage, (count, _) in enumerate(STAGES, start=2)
        for block in range(1, count + 1)
    ]
    return ["conv1", *(f"{block}_{part}" for block in blocks for part in ("reduce", "increase"))]


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
