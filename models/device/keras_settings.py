"""Keras as this project means it, whatever an earlier program left in ~/.keras/keras.json."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from ferplus_data.errors import InputError

BACKENDS = ("tensorflow", "jax", "torch")
"""What KERAS_BACKEND may name; tensorflow where it is not set. The file does not choose: a search gives the same everywhere."""

# What Keras takes from the file when it is imported; anything else makes the import fail.
_TAKEN: dict[str, tuple[Any, ...]] = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}


def check_keras_settings() -> None:
    """Choose Keras's backend, before Keras is imported.

    Raises:
        InputError: KERAS_BACKEND names none that is installed, or keras.json holds what Keras cannot be imported with.
    """
    backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if backend not in BACKENDS or importlib.util.find_spec(backend) is None:
        found = "which is not installed" if backend in BACKENDS else "which Keras does not know"
        raise InputError(
            f"KERAS_BACKEND: expected one of {', '.join(BACKENDS)}, found {backend!r}, {found}; leave the variable unset for "
            f"{BACKENDS[0]}"
        )
    os.environ["KERAS_BACKEND"] = backend
    _check_file(_settings_file())


def apply_keras_settings() -> None:
    """Give Keras, once it is imported, the settings it has without a keras.json: they are part of what is computed."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


def _settings_file() -> Path:
    """Return where Keras looks for its settings."""
    home = Path(os.path.expanduser("~"))
    folder = home / ".keras" if os.access(home, os.W_OK) else Path("/tmp/.keras")
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME", str(folder)))) / "keras.json"


def _check_file(path: Path) -> None:
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"{path}: expected to be able to read Keras's settings, found: {error.strerror}; mend or delete it"
        ) from error
    except ValueError:  # no JSON, or no text: Keras goes on without it
        return
    if not isinstance(settings, dict):
        raise InputError(
            f"{path}: expected an object of Keras's settings, found {str(settings)[:40]}; delete the file"
        )
    for name, values in _TAKEN.items():
        if name in settings and settings[name] not in values:
            raise InputError(
                f"{path}: {name}: expected one of {', '.join(values)}, found {settings[name]!r}; mend or delete the file"
            )
    if not isinstance(settings.get("epsilon", 1e-7), float):
        raise InputError(
            f"{path}: epsilon: expected a number such as 1e-07, found {settings['epsilon']!r}; mend or delete the file"
        )
