"""Keras 2 whole-model .h5 and .hdf5 checkpoints of the baseline's kind, in Keras 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferplus_data.errors import InputError
from models.backbones.registry import BACKBONES
from models.networks.build import build_model
from models.networks.weights import load_weights
from models.recipe import Recipe
from models.serving.classifier import Classifier, in_batches, unreadable
from models.serving.runtimes.keras_archive import classifier_of

_KIND = "Keras 2 whole model on keras-vggface's resnet50 or senet50 with a dropout and Dense(8)"


def open_classifier(path: Path) -> Classifier:
    """Return the classifier in the Keras 2 file `path`, with the baseline's preprocessing to the byte; raises as
    `load_legacy_model`.

    The baseline resizes with albumentations, that is with OpenCV, which rounds to bytes. A resize in the network does not: that
    alone moved probabilities by up to 0.03 in networks of random weights.
    """
    import cv2

    model = load_legacy_model(path)
    if "resize" not in [layer.name for layer in model.layers]:
        return classifier_of(model, path)
    resized = model.get_layer("resize").output
    network = keras.Model(resized, model.output)  # of floats, already resized
    side = resized.shape[1]

    def run(faces: np.ndarray) -> np.ndarray:
        images = [cv2.resize(face, (side, side), interpolation=cv2.INTER_LINEAR) for face in faces]
        return network.predict_on_batch(np.asarray(images, np.float32)[..., None])

    return in_batches(run, path)


def load_legacy_model(path: Path) -> keras.Model:
    """Return the Keras 3 model that a Keras 2 whole-model checkpoint describes: its network from our own functions, its weights
    by topology, and preprocessing (224x224, grey repeated, BGR mean) in front, so that it takes raw faces.

    Only the layers' classes and names are read of the file's configuration; nothing in it is built or run.

    Raises:
        InputError: It does not load, holds weights alone, or is another network.
    """
    try:
        return _load(path)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # h5py raises by where the damage is, and a foreign configuration can lack anything
        raise unreadable(path, ".h5 model", error) from error


def _load(path: Path) -> keras.Model:
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise InputError(
                f"checkpoint {path}: expected a {_KIND}, found weights without a model; name it with --weights of search, "
                "or give the whole model"
            )
        config = json.loads(file.attrs["model_config"])["config"]
        if not isinstance(config, dict) or "layers" not in config:
            raise InputError(f"checkpoint {path}: expected a {_KIND}, found a configuration without layers")
        head = _last_weights(file["model_weights"])
    recipe = _recipe(path, config)
    model = build_model(recipe)
    _compare(path, config, model)
    load_weights(model, BACKBONES[recipe.backbone], path)
    dense = model.layers[-1]
    activation = [
        layer["config"].get("activation") for layer in config["layers"] if layer["class_name"] == "Dense"
    ][-1:]
    if activation != ["softmax"]:
        raise InputError(
            f"checkpoint {path}: expected a softmax at the end, found {', '.join(map(str, activation)) or 'none'}"
        )
    if [weight.shape for weight in head] != [tuple(weight.shape) for weight in dense.weights]:
        raise InputError(
            f"checkpoint {path}: expected a last layer {[tuple(w.shape) for w in dense.weights]}, found {[w.shape for w in head]}"
        )
    dense.set_weights(head)
    return model


def _recipe(path: Path, config: Any) -> Recipe:
    layers = _layers(config)
    names = {name for _, name in layers}
    if "conv2_1_1x1_reduce" not in names:
        raise InputError(
            f"checkpoint {path}: expected a {_KIND}, found {len(layers)} layers beginning with "
            f"{', '.join(name for _, name in layers[:3])}"
        )
    first = config["layers"][0]["config"]
    # Keras 2's name, Keras 3's, and what the baseline has.
    shape = first.get("batch_input_shape") or first.get("batch_shape") or [None, 224, 224, 3]
    dropout = next(
        (layer["config"]["rate"] for layer in config["layers"] if layer["class_name"] == "Dropout"), 0.0
    )
    return Recipe(
        backbone="senet50" if "conv2_1_1x1_down" in names else "resnet50",
        image_size=int(shape[1] or 0),
        dropout=float(dropout),
    )


def _compare(path: Path, config: Any, model: keras.Model) -> None:
    """Raise InputError unless the file's layers with weights are those of `model`, by class and name, in any order."""
    weighted = ("Conv2D", "BatchNormalization", "Dense")
    found = {(kind, name) for kind, name in _layers(config) if kind in weighted}
    expected = {(type(layer).__name__, layer.name) for layer in model.layers if layer.weights}
    # The head's name is the user's.
    found = {(kind, name) for kind, name in found if kind != "Dense"}
    expected = {(kind, name) for kind, name in expected if kind != "Dense"}
    strange = sorted({kind for kind, _ in _layers(config)} - {type(layer).__name__ for layer in model.layers})
    if found != expected or strange:
        raise InputError(
            f"checkpoint {path}: expected a {_KIND}, found "
            + (
                f"layers of {', '.join(strange)}"
                if strange
                else f"{len(found ^ expected)} layers that differ"
            )
        )


def _layers(config: Any) -> list[tuple[str, str]]:
    return [(layer["class_name"], layer["config"]["name"].replace("/", "_")) for layer in config["layers"]]


def _last_weights(root: Any) -> list[np.ndarray]:
    def texts(values: Any) -> list[str]:
        return [v.decode() if isinstance(v, bytes) else str(v) for v in values]

    groups = [root[name] for name in texts(root.attrs["layer_names"])]
    last = [group for group in groups if len(group.attrs["weight_names"])][-1]
    return [np.asarray(last[name], np.float32) for name in texts(last.attrs["weight_names"])]
