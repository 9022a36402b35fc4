"""Whole models on disk: written in one piece, read without running anything that stands in them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from ferplus_data.errors import InputError
from ferplus_data.files import write_file
from models.serving.classifier import check_ends, check_shapes

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


def save_model(model: keras.Model, path: Path) -> Path:
    """Write `model` to `path` (.keras), whole or not at all. The optimizer is left out: it is for training, not use."""
    return write_file(path, lambda temporary: model.save(temporary, include_optimizer=False))


def load_model(path: Path) -> keras.Model:
    """Return the model in the .keras file `path`.

    Raises:
        InputError: There is no such file, it is no whole .keras model, it holds code (a Lambda layer, a pickle) or files that
            no such model needs, or it is not a model of faces: uint8 [B, 48, 48, 1] in, [B, 8] out.
    """
    if not path.is_file():
        raise InputError(
            f"checkpoint {path}: no such file; expected a .keras model, such as runs/STUDY/best/model.keras"
        )
    try:
        _refuse_code(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:
        # Whatever a damaged archive makes Keras, h5py or zipfile raise, it means one thing to the user.
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"checkpoint {path}: expected a whole .keras model, found one that does not load ({reason})"
        ) from error
    _check(path, model)
    return model


def _check(path: Path, model: Any) -> None:
    """Raise InputError unless `model`, whatever was in the file, takes faces and gives probabilities."""
    if not isinstance(model, keras.Model):
        raise InputError(f"checkpoint {path}: expected a model, found {type(model).__name__}")
    # Lists of them, whatever structure the model was given; a model that has not been built, or is a class of its own, has none.
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise InputError(
            f"checkpoint {path}: expected a model that knows the shapes of its input and output, found {type(model).__name__} "
            "without; save it after it was built"
        )
    check_ends(path, [end.name for end in inputs], [end.name for end in outputs])
    if isinstance(getattr(model, "output", None), dict | list | tuple):
        raise InputError(
            f"checkpoint {path}: expected one plain output, found {type(model.output).__name__} of outputs"
        )
    check_shapes(path, inputs[0].shape, outputs[0].shape, str(inputs[0].dtype))


def _refuse_code(path: Path) -> None:
    """Look into the archive before Keras does. Its members are read by the three names that Keras gives them, never extracted."""
    with path.open("rb") as file:
        start = file.read(2)
    if start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise InputError(f"checkpoint {path}: is a pickle, which runs code when it is read; refused")
    with zipfile.ZipFile(path) as archive:
        strange = sorted(set(archive.namelist()) - _MEMBERS)
        if strange:
            raise InputError(
                f"checkpoint {path}: expected only {', '.join(sorted(_MEMBERS))} in it, found {strange[0][:60]!r}; refused"
            )
        config = json.loads(archive.read("config.json"))
    if "Lambda" in _class_names(config):
        raise InputError(
            f"checkpoint {path}: holds a Lambda layer, which is code that loading would run; refused, build it without"
        )


def _class_names(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"]
        for value in config.values():
            yield from _class_names(value)
    elif isinstance(config, list):
        for value in config:
            yield from _class_names(value)
