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
from ferplus_data.labels import EMOTIONS

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


def save_model(model: keras.Model, path: Path) -> Path:
    """Write `model` to `path` (.keras), whole or not at all. The optimizer is left out: it is for training, not use."""
    return write_file(path, lambda temporary: model.save(temporary, include_optimizer=False))


def load_model(path: Path) -> keras.Model:
    """Return the model in the .keras file `path`.

    Raises:
        InputError: There is no such file, it is no whole .keras model, it holds code (a Lambda layer, a pickle) or files that
            no such model needs, or it is not a model of faces: [B, 48, 48, 1] in, [B, 8] out.
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
    shapes = (tuple(model.input_shape), tuple(model.output_shape))
    if shapes != ((None, 48, 48, 1), (None, len(EMOTIONS))):
        raise InputError(
            f"checkpoint {path}: expected faces [48, 48, 1] in and {len(EMOTIONS)} probabilities out, found {shapes[0]} in "
            f"and {shapes[1]} out"
        )
    return model


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
