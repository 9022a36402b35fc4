"""The networks a trial can be built on: one entry each in `BACKBONES`, which holds all that the rest needs to know of it.

Importing this file imports no Keras, so that choices can be listed without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferplus_data.errors import InputError
from models.backbones import dlib_face, small
from models.backbones.published_weights import Package, PublishedWeights, Release
from models.backbones.vggface import resnet50, senet50

# The release that keras_vggface.utils names.
_RELEASE = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/"


BGR_MEAN = (91.4953, 103.8827, 131.0912)
"""VGGFace2's channel means on the 0-255 scale (keras_vggface.utils.preprocess_input, version 2)."""


_VGGFACE2_LICENCE = (
    "The network started from keras-vggface's VGGFace2 weights (github.com/rcmalli/keras-vggface, whose README gives the "
    "original models for non-commercial research under a Creative Commons Attribution licence; its code is under MIT)."
)
_DLIB_LICENCE = (
    "The network started from the weights of dlib's face-recognition network (Davis King, github.com/davisking/dlib-models), "
    "which are in the public domain (CC0 1.0): they may be used for anything."
)
_BASELINE = "the baseline repository's README"


@dataclass(frozen=True)
class PublishedFigures:
    """What somebody reports of a recipe on FER+; accuracies from 0 to 1."""

    model: str
    weights: str
    val_accuracy: float
    test_accuracy: float
    source: str


@dataclass(frozen=True)
class Backbone:
    """A network without its head, and what a search may vary about it.

    Attributes:
        name: its name in `BACKBONES`.
        body: KerasTensor [B,s,s,3] -> pooled KerasTensor [B,1,1,C]; adds its layers flat to the caller's
            graph, the last one named avg_pool. Flatten, Dropout and Dense have to follow for the freeze
            choices to hold.
        default_image_size: s, in pixels, that the network was made for.
        min_image_size: the smallest s it is offered at.
        freeze_choices: what `models.networks.freezing.freeze` takes, by how much it freezes: 0 (nothing) first, then
            ascending from the first block boundary (the stem alone) to `HEAD_ONLY`.
        weights: the published ones, from which a training starts unless told otherwise, or None.
        read_own_format: (model, path) -> None, gives the body's layers the weights in a file of the form that the
            network was published in, where that is not Keras's; raises InputError for any other file.
        channel_means: of the images the weights were made with, 0-255 scale, in the order of the network's input channels.
        channel_scale: what is divided by after the means are subtracted.
        published: figures to set a run of it beside.
        batch_norm_momentum: of the moving statistics, or None for the layer's own (0.99, as the published weights were
            made). A network that is trained from scratch for a few hundred steps needs them to follow faster.
    """

    name: str
    body: Callable[[Any], Any]
    default_image_size: int
    min_image_size: int
    freeze_choices: tuple[int, ...]
    weights: PublishedWeights | None = None
    read_own_format: Callable[[Any, Path], None] | None = None
    channel_means: tuple[float, float, float] = BGR_MEAN
    channel_scale: float = 1.0
    published: tuple[PublishedFigures, ...] = ()
    batch_norm_momentum: float | None = None

    @property
    def default_weights(self) -> str:
        """What a training starts from unless told otherwise, as `models.networks.weights.load_weights` takes it."""
        return "none" if self.weights is None else self.weights.name

    def check_image_size(self, size: int) -> None:
        """Raise InputError for an image size below `min_image_size`."""
        if size < self.min_image_size:
            raise InputError(
                f"image size for {self.name}: expected at least {self.min_image_size} pixels, found {size}; "
                f"its default is {self.default_image_size}"
            )


# The head is Flatten, Dropout, Dense; before it come avg_pool and the network.
HEAD_ONLY = -3
_LAYERS_AFTER_BLOCKS = 4

# Layers of one conv block and of one identity block, as the baseline's listings count them.
_RESNET_BLOCK_LAYERS = (12, 10)
_SENET_BLOCK_LAYERS = (19, 17)

# Points inside a block of ResNet50 that the baseline's listing names and our benchmarks measure: -51
# (activation_36) and -41 (activation_39) leave the 1x1 increase of conv4_5 and conv4_6 the first trainable
# layer, -12 (activation_47) the 3x3 of conv5_3. -51 is the baseline's best; the benchmarks' -25 (activation_43)
# is a boundary: all of conv5_1 is frozen. SENet50's best, -39 (activation_71), is a boundary too: again all
# of conv5_1 is frozen.
_RESNET50_INNER_POINTS = (-51, -41, -12)


def block_boundaries(model: Any) -> tuple[int, ...]:
    """Where blocks begin in a built model, ascending, as negative indices into `model.layers`.

    The boundary is the layer that feeds the block's first convolution (conv{stage}_{block}_1x1_reduce in keras-vggface's
    networks, conv{stage}_{block}_reduce in dlib's, conv{stage}_1 in those without residual blocks): the last activation
    or pooling of the block before, or the stem's last layer. It has no weights, so that freezing up to it or up to the
    convolution is the same; it is the one the baseline's listings name (-25, -39), and the one tensor at which the network
    can be cut.
    """
    first_convolution = re.compile(r"conv\d+_\d+(_1x1)?_reduce|conv(?!1_)\d+_1")
    count = len(model.layers)
    return tuple(
        i - count - 1 for i, layer in enumerate(model.layers) if first_convolution.fullmatch(layer.name)
    )


def _freeze_choices(block_layers: Sequence[int], inner_points: Sequence[int] = ()) -> tuple[int, ...]:
    """Return the freeze choices of a network of blocks that have `block_layers` layers each, from input to output."""
    boundaries = [-(_LAYERS_AFTER_BLOCKS + 1 + sum(block_layers[i:])) for i in range(len(block_layers))]
    return (0, *sorted({*boundaries, *inner_points, HEAD_ONLY}))


def _residual_blocks(
    blocks_per_stage: Sequence[int], block_layers: tuple[int, int], layers_between_stages: int = 0
) -> list[int]:
    """Return the layers of each block of stages that are a conv block and identity blocks; what stands between two stages counts
    to the block before it."""
    conv_block, identity_block = block_layers
    lengths = [
        (conv_block if block == 0 else identity_block) + (layers_between_stages if block == n - 1 else 0)
        for n in blocks_per_stage
        for block in range(n)
    ]
    lengths[-1] -= layers_between_stages
    return lengths


_FIFTY = (3, 4, 6, 3)

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="resnet50",
            body=resnet50,
            default_image_size=224,
            min_image_size=32,
            freeze_choices=_freeze_choices(
                _residual_blocks(_FIFTY, _RESNET_BLOCK_LAYERS), _RESNET50_INNER_POINTS
            ),
            weights=Release(
                "vggface2", "rcmalli_vggface_tf_notop_resnet50.h5", _VGGFACE2_LICENCE, folder_url=_RELEASE
            ),
            published=(PublishedFigures("ResNet50", "VGGFace2", 0.880, 0.865, _BASELINE),),
        ),
        Backbone(
            name="senet50",
            body=senet50,
            default_image_size=224,
            min_image_size=32,
            freeze_choices=_freeze_choices(_residual_blocks(_FIFTY, _SENET_BLOCK_LAYERS)),
            weights=Release(
                "vggface2", "rcmalli_vggface_tf_notop_senet50.h5", _VGGFACE2_LICENCE, folder_url=_RELEASE
            ),
            published=(PublishedFigures("SENet50", "VGGFace2", 0.873, 0.858, _BASELINE),),
        ),
        Backbone(
            name="small",
            body=small.small,
            default_image_size=48,
            min_image_size=16,
            freeze_choices=_freeze_choices(_residual_blocks(small.BLOCKS, _RESNET_BLOCK_LAYERS, 1)),
            batch_norm_momentum=0.9,
        ),
        Backbone(
            name="small_se",
            body=small.small_se,
            default_image_size=48,
            min_image_size=16,
            freeze_choices=_freeze_choices(_residual_blocks(small.BLOCKS, _SENET_BLOCK_LAYERS, 1)),
            batch_norm_momentum=0.9,
        ),
        Backbone(
            name="small_vgg",
            body=small.small_vgg,
            default_image_size=48,
            min_image_size=16,
            freeze_choices=_freeze_choices(small.VGG_STAGE_LAYERS),
            batch_norm_momentum=0.9,
        ),
        Backbone(
            name="dlib_face",
            body=dlib_face.body,
            default_image_size=128,
            min_image_size=64,
            freeze_choices=_freeze_choices(dlib_face.block_layers()),
            weights=Package(
                "dlib",
                dlib_face.WEIGHTS_FILE,
                _DLIB_LICENCE,
                package=dlib_face.PACKAGE,
                requirements="requirements-dlib.txt",
            ),
            read_own_format=dlib_face.load,
            channel_means=dlib_face.RGB_MEAN,
            channel_scale=dlib_face.SCALE,
            batch_norm_momentum=0.9,
        ),
    )
}
"""Backbone by name."""
