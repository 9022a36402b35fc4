"""Whole models on disk: written in one piece, read without running anything that stands in them."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS


def save_model(model: keras.Model, path: Path) -> Path:
    """Write `model` to `path` (.keras), whole or not at all. The optimizer is left out: it is for training, not use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("writing-" + path.name)
    model.save(temporary, include_optimizer=False)
    os.replace(temporary, path)
    return path


def load_model(path: Path) -> keras.Model:
    """Return the model in the .keras file `path`.

    Raises:
        InputError: There is no such file, it is no whole .keras model, it holds code (a Lambda layer), or it is not a
            model of faces: [B, 48, 48, 1] in, [B, 8] out.
    """
    if not path.is_file():
        raise InputError(
            f"checkpoint {path}: no such file; expected a .keras model, such as runs/STUDY/best/model.keras"
        )
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
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
