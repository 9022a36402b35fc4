"""The keras-vggface networks under Keras 3.

keras-vggface 0.6 (Refik Can Malli) was written for Keras 2 and is no longer maintained. Three of its imports
have no counterpart in Keras 3, and its layer names hold "/", which Keras 3 forbids. This file lends it the
missing modules while it is imported, and wraps the three layer classes whose calls have to differ. Nothing
else of it changes, so that the layer order, and with it the meaning of a freeze index, is the package's own.

Keras is imported on first use: the tables that name these functions can be read without it.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

_IMPORT_LOCK = threading.Lock()
_ABSENT = object()


class BlockFunctions(NamedTuple):
    """The residual blocks of keras-vggface, each KerasTensor [B,h,w,C] -> KerasTensor [B,h',w',filters[2]].

    A conv block is called as `block(x, kernel_size, filters, stage=, block=, strides=(2, 2))`, an identity
    block without `strides`; `filters` are the widths of its 1x1 reduce, 3x3 and 1x1 increase convolutions.
    Layers are named conv{stage}_{block}_*.
    """

    resnet_conv_block: Callable[..., Any]
    resnet_identity_block: Callable[..., Any]
    senet_conv_block: Callable[..., Any]
    senet_identity_block: Callable[..., Any]


def block_functions() -> BlockFunctions:
    """The four block functions, from which smaller networks of the same kind are built."""
    package = _keras_vggface_models()
    return BlockFunctions(*(getattr(package, name) for name in BlockFunctions._fields))


def resnet50(x: Any) -> Any:
    """The VGGFace2 ResNet50 without its classifier, built flat into the caller's graph.

    Args:
        x: KerasTensor [B,s,s,3], s at least 32, channels last.

    Returns:
        KerasTensor [B,1,1,2048], the output of the layer named avg_pool.
    """
    return _without_top("RESNET50", x)


def senet50(x: Any) -> Any:
    """The VGGFace2 SENet50 without its classifier; arguments and result as for `resnet50`."""
    return _without_top("SENET50", x)


def _without_top(network: str, x: Any) -> Any:
    # Given a tensor and no input_shape, the package skips its own smallest sizes (197 for SENet50). The Model
    # it wraps around the graph is dropped; its layers stay connected to x.
    build = getattr(_keras_vggface_models(), network)
    return build(include_top=False, weights=None, input_tensor=x).output


def _keras_vggface_models() -> ModuleType:
    with _IMPORT_LOCK:
        return _load()


@functools.cache
def _load() -> ModuleType:
    import keras

    with _keras_2_modules():
        package = importlib.import_module("keras_vggface.models")
    patched: dict[str, Any] = {
        "Conv2D": _with_legal_name(keras.layers.Conv2D),
        "BatchNormalization": _with_legal_name(keras.layers.BatchNormalization),
        "AveragePooling2D": _average_pooling_of_any_size,
    }
    for name, value in patched.items():
        setattr(package, name, value)
    return package


@contextmanager
def _keras_2_modules() -> Iterator[None]:
    """Lend sys.modules the Keras 2 modules that keras-vggface imports, and take them back."""
    import keras

    stand_ins = {
        "keras.engine": {},
        "keras.engine.topology": {"get_source_inputs": keras.utils.get_source_inputs},
        "keras.utils.data_utils": {"get_file": keras.utils.get_file},
        "keras.utils.layer_utils": {},  # only its Theano branch, which is gone, would look inside
    }
    before = {name: sys.modules.get(name, _ABSENT) for name in stand_ins}
    for name, members in stand_ins.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name, original in before.items():
            if original is _ABSENT:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = original  # type: ignore[assignment]


def _with_legal_name(layer_class: Callable[..., Any]) -> Callable[..., Any]:
    def construct(*args: Any, name: str, **options: Any) -> Any:
        return layer_class(*args, name=name.replace("/", "_"), **options)

    return construct


def _average_pooling_of_any_size(pool_size: tuple[int, int], name: str) -> Callable[[Any], Any]:
    """AveragePooling2D where it covers the whole map (7x7, from 224 pixels), else the global average."""
    import keras

    def pool(x: Any) -> Any:
        if tuple(x.shape[1:3]) == pool_size:
            return keras.layers.AveragePooling2D(pool_size, name=name)(x)
        return keras.layers.GlobalAveragePooling2D(keepdims=True, name=name)(x)

    return pool
