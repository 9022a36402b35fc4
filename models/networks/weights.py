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
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ferplus_data.errors import InputError
from models.backbones.published_weights import MissingWeights
from models.backbones.registry import BACKBONES, Backbone

_KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")

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
        source: "none" (leave the random ones), the name of the backbone's published weights ("vggface2", "dlib"), or a
            file: a Keras 2 .h5 (weights alone or a whole model, with a classifier or without), a Keras 3 .weights.h5
            or .keras of a model on the same backbone, or one of the form that the backbone was published in (.dat).

    Raises:
        InputError: where there are no published weights, they cannot be fetched, or the file is missing,
            cannot be read, or belongs to another network. The model is then as it was.
    """
    if source == "none":
        return
    path = _published(backbone, str(source)) if source in _published_names() else Path(source).expanduser()
    if backbone.read_own_format is not None and path.suffix not in _KERAS_SUFFIXES:
        backbone.read_own_format(model, path)
        return
    stored = _read(path, [layer for layer in model.layers if layer.weights])
    _assign(_body_layers(model), stored, path, backbone)


def _body_layers(model: Any) -> list[Any]:
    end = [layer.name for layer in model.layers].index("avg_pool")
    return [layer for layer in model.layers[:end] if layer.weights]


def find_published(backbones: Iterable[Backbone]) -> None:
    """Look for the published weights of each of `backbones`, which are fetched where they have to be.

    Raises:
        InputError: There are some that cannot be had; it names every one, and what to do.
    """
    missing: dict[str, MissingWeights] = {}
    for backbone in backbones:
        if backbone.weights is not None:
            try:
                backbone.weights.path()
            except MissingWeights as error:
                missing[backbone.name] = error
    if missing:
        found = "; ".join(f"{error.found}" for error in missing.values())
        mends = "; ".join(dict.fromkeys(error.mend for error in missing.values()))
        raise InputError(
            f"weights for {' and '.join(missing)}: expected {found}; {mends}; or name a copy with --weights FILE, or use "
            f"--weights none"
        )


def _published_names() -> set[str]:
    return {backbone.weights.name for backbone in BACKBONES.values() if backbone.weights is not None}


def _published(backbone: Backbone, name: str) -> Path:
    if backbone.weights is None or backbone.weights.name != name:
        published = [other.name for other in BACKBONES.values() if other.default_weights == name]
        own = "" if backbone.weights is None else f"{backbone.weights.name}, "
        raise InputError(
            f"weights for {backbone.name}: expected {own}none or a file, found {name}, which is published for "
            f"{' and '.join(published)} only; use --weights {backbone.default_weights} or --weights FILE"
        )
    find_published([backbone])
    return backbone.weights.path()


def _read(path: Path, layers: list[Any]) -> list[_StoredLayer]:
    """The file's layers with weights, in order; `layers` lend their names where Keras 3 stores none."""
    import h5py

    if not path.is_file():
        raise InputError(
            f"{path}: expected {', '.join(sorted(_published_names()))}, none or a weights file, found no such file; mend "
            f"the path after --weights, or use --weights none"
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
