"""Networks for 48-pixel faces that a CPU can train from scratch, of under a million parameters.

`small` and `small_se` are keras-vggface's residual blocks at their smallest. `small_vgg` is plain 3x3 convolutions, with more
than twice the multiplications of `small` and about its seconds: a CPU computes few wide layers faster than many narrow ones.

Importing this file imports no Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from models.backbones.vggface import block_functions


class Stage(NamedTuple):
    """Residual blocks at one resolution, after a pooling that halves it: a conv block, then identity blocks."""

    blocks: int
    filters: tuple[int, int, int]  # 1x1 reduce, 3x3, 1x1 increase


STEM_FILTERS = 32
STAGES = (Stage(2, (48, 48, 128)), Stage(2, (96, 96, 256)))
VGG_FILTERS = (48, 96, 192)
"""Of the two convolutions in each stage of `small_vgg`."""


def small(x: Any) -> Any:
    """A small ResNet from keras-vggface's blocks: KerasTensor [B,s,s,3] -> [B,1,1,256]."""
    blocks = block_functions()
    return _bottlenecks(x, blocks.resnet_conv_block, blocks.resnet_identity_block)


def small_se(x: Any) -> Any:
    """`small` with squeeze-and-excitation blocks."""
    blocks = block_functions()
    return _bottlenecks(x, blocks.senet_conv_block, blocks.senet_identity_block)


def _bottlenecks(x: Any, conv_block: Callable[..., Any], identity_block: Callable[..., Any]) -> Any:
    from keras import layers

    x = layers.Conv2D(STEM_FILTERS, 5, strides=2, padding="same", use_bias=False, name="conv1_5x5_s2")(x)
    x = layers.BatchNormalization(name="conv1_5x5_s2_bn")(x)
    x = layers.Activation("relu")(x)
    for stage, (count, filters) in enumerate(STAGES, start=2):  # the stem is stage 1
        # The blocks' own way to halve the resolution, a 1x1 convolution with stride 2, drops three of four
        # activations; at these sizes that is too much to lose.
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{stage}")(x)
        x = conv_block(x, 3, list(filters), stage=stage, block=1, strides=(1, 1))
        for block in range(2, count + 1):
            x = identity_block(x, 3, list(filters), stage=stage, block=block)
    return layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)


def small_vgg(x: Any) -> Any:
    """Pairs of 3x3 convolutions as in VGG (Simonyan and Zisserman 2015), normalised: KerasTensor [B,s,s,3] -> [B,1,1,192].

    The first has stride 2: at full resolution every other layer would have four times the work.
    """
    from keras import layers

    for stage, filters in enumerate(VGG_FILTERS, start=1):
        if stage > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"pool{stage}")(x)
        for number in (1, 2):
            name = f"conv{stage}_{number}"
            strides = 2 if stage == number == 1 else 1
            x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(name=f"{name}_bn")(x)
            x = layers.Activation("relu", name=f"{name}_relu")(x)
    return layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)


BLOCKS = tuple(stage.blocks for stage in STAGES)
VGG_STAGE_LAYERS = (7, 6)
"""Layers of the stages after the first, which is the stem; a pooling counts to the stage before it."""
