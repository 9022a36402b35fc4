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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.backbones.dlib_weights import Weights


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


def body(x: Any) -> Any:
    """dlib's face-recognition network without its last layer, built flat into the caller's graph.

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

    # A layer even where it is 0, so that freeze indices hold at any image size.
    missing = pooled.shape[1] - branch.shape[1]
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
    from models.backbones.dlib_weights import read_weights

    assign_weights(model, read_weights(path))


def assign_weights(model: Any, weights: Weights) -> None:
    """Give the layers of `body` in the keras.Model `model` the weights; its batch normalisations have the moving statistics
    `STATISTICS`, and in inference mode only scale and shift as the affine layers do."""
    import numpy as np

    ends = np.cumsum([filters for filters, _ in convolution_sizes()])[:-1]
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


def convolution_sizes() -> list[tuple[int, int]]:
    """(filters, kernel size) of each convolution, from input to output."""
    return [(STEM_FILTERS, 7), *((filters, 3) for blocks, filters in STAGES for _ in range(2 * blocks))]
