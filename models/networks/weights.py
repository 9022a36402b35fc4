"""Starting weights for a backbone: published, from a file, or none.

A file is read and compared with the network whole before the first weight is assigned.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ferplus_data.errors import InputError
from models.backbones.registry import BACKBONES, Backbone

_CACHE_SUBDIR = "models/vggface"  # keras_vggface.utils.VGGFACE_DIR, so that a file it has fetched is found

# What h5py and zipfile raise for damaged, truncated and foreign files.
_UNREADABLE = (OSError, LookupError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)


class _StoredLayer(NamedTuple):
    name: str
    weights: list[np.ndarray]


def load_weights(model: Any, backbone: Backbone, source: str | os.PathLike[str]) -> None:
    """Give the layers up to avg_pool their starting weights; a head keeps its own.

    Args:
        model: a keras.Model that `backbone.body` is part of.
        backbone: the backbone it was built from.
        source: "none" (leave the random ones), "vggface2" (keras-vggface's release, downloaded once into
            Keras's cache), or a file: a Keras 2 .h5 (weights alone or a whole model, with a classifier or
            without), or a Keras 3 .weights.h5 or .keras of a model on the same backbone.

    Raises:
        InputError: where there are no published weights, they cannot be fetched, or the file is missing,
            cannot be read, or belongs to another network. The model is then as it was.
    """
    if source == "none":
        return
    path = _published(backbone) if source == "vggface2" else Path(source).expanduser()
    stored = _read(path, [layer for layer in model.layers if layer.weights])
    _assign(_body_layers(model), stored, path, backbone)


def _body_layers(model: Any) -> list[Any]:
    end = [layer.name for layer in model.layers].index("avg_pool")
    return [layer for layer in model.layers[:end] if layer.weights]


def _published(backbone: Backbone) -> Path:
    if backbone.weights_url is None:
        published = [name for name, other in BACKBONES.items() if other.weights_url]
        raise InputError(
            f"weights for {backbone.name}: expected none or a file, found vggface2, which is published for "
            f"{' and '.join(published)} only; use --weights none or --weights FILE"
        )
    import keras

    name = backbone.weights_url.rsplit("/", 1)[-1]
    folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / _CACHE_SUBDIR
    if (folder / name).is_file():
        return folder / name
    try:
        # Fetched under a name of its own, so that no other worker or later run finds a half-written file.
        partial = Path(
            keras.utils.get_file(f"{name}.{os.getpid()}.part", backbone.weights_url, cache_subdir=str(folder))
        )
        os.replace(partial, folder / name)
    except Exception as error:  # get_file raises a bare Exception for what the network refuses
        raise InputError(
            f"weights for {backbone.name}: expected {name}, but {backbone.weights_url} could not be fetched "
            f"({_one_line(error)}); put the file into {folder}, name a copy with --weights FILE, or use "
            f"--weights none"
        ) from error
    return folder / name


def _read(path: Path, layers: list[Any]) -> list[_StoredLayer]:
    """The file's layers with weights, in order; `layers` lend their names where Keras 3 stores none."""
    import h5py

    if not path.is_file():
        raise InputError(
            f"{path}: expected vggface2, none or a weights file, found no such file; mend the path after "
            f"--weights, or use --weights none"
        )
    try:
        content: Any = path
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            if isinstance(file.get("layers"), h5py.Group):
                return _read_keras_3(file["layers"], layers)
            return _read_keras_2(file.get("model_weights", file))
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: expected Keras weights (.h5, .weights.h5 or .keras), found a file that cannot be read "
            f"as such ({_one_line(error)}); delete it and fetch it again, or use --weights none"
        ) from error


def _read_keras_2(root: Any) -> list[_StoredLayer]:
    stored = []
    for layer_name in _texts(root.attrs["layer_names"]):
        group = root[layer_name]
        weights = [_array(group[weight_name]) for weight_name in _texts(group.attrs["weight_names"])]
        if weights:
            stored.append(_StoredLayer(layer_name.replace("/", "_"), weights))
    return stored


def _read_keras_3(root: Any, layers: list[Any]) -> list[_StoredLayer]:
    # Keras 3 stores a layer under its class's name in snake case, numbered from the second of a class on.
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for layer in layers:
        kind = _snake_case(type(layer).__name__)
        names[f"{kind}_{seen[kind]}" if seen[kind] else kind] = layer.name
        seen[kind] += 1
    stored = []
    for key in [*names, *(key for key in root if key not in names)]:
        variables = root[key]["vars"] if key in root and "vars" in root[key] else {}
        if len(variables):
            weights = [_array(variables[str(i)]) for i in range(len(variables))]
            stored.append(_StoredLayer(names.get(key, key), weights))
    return stored


def _assign(layers: list[Any], stored: list[_StoredLayer], path: Path, backbone: Backbone) -> None:
    # A classifier is the only layer with a matrix, and no backbone has one.
    found = [layer for layer in stored if layer.weights[0].ndim != 2]
    mend = f"name a file made from {backbone.name} with --weights FILE, or use --weights none"
    if len(found) != len(layers):
        raise InputError(
            f"{path}: expected the {len(layers)} layers with weights of {backbone.name}, found {len(found)}; "
            f"{mend}"
        )
    by_name = {layer.name: layer for layer in found}
    if all(layer.name in by_name for layer in layers):
        # Two branches of a block hold kernels of one shape (conv2_1): names are surer than the file's order.
        found = [by_name[layer.name] for layer in layers]
    for layer, source in zip(layers, found, strict=True):
        expected_shapes = [tuple(weight.shape) for weight in layer.weights]
        found_shapes = [weight.shape for weight in source.weights]
        if expected_shapes != found_shapes:
            raise InputError(
                f"{path}: expected shapes {expected_shapes} for layer {layer.name} of {backbone.name}, "
                f"found {found_shapes} in layer {source.name}; {mend}"
            )
    for layer, source in zip(layers, found, strict=True):
        layer.set_weights(source.weights)


def _snake_case(class_name: str) -> str:
    # keras.src.utils.naming.to_snake_case, which has no public name: Conv2D -> conv2d, not conv2_d
    class_name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", class_name).lower()


def _array(dataset: Any) -> np.ndarray:
    return np.asarray(dataset, dtype=np.float32)


def _texts(attribute: Any) -> list[str]:
    return [text.decode() if isinstance(text, bytes) else str(text) for text in attribute]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
