"""The space that a study is asked to explore, by its name, and the hyperparameters that are pinned to a value in it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferplus_data.errors import InputError
from models.hyperparameters import canonical_values
from search.study.options import text
from search.user_functions import load_function
from spaces import ALIASES, SPACES
from spaces.space import Space


def parse_space(given: Any) -> str:
    """Return the name of the space `given`, which may be an alias.

    Raises:
        InputError: It is no text.
    """
    name: str = text("SPACE").parse(given)
    return ALIASES.get(name, name)


def load_space(name: str) -> Space:
    """Return the space `name`: one of `spaces.SPACES`, FILE.py:FUNCTION, or a FILE.json of `search.oracles.space.space_file`.

    FUNCTION takes a `keras_tuner.HyperParameters` and declares on it; it may also be a `spaces.space.Space`, which brings its
    own recipes and epochs.

    Raises:
        InputError: There is no such space, file or function, or the file does not run.
    """
    name = ALIASES.get(name, name)
    if name in SPACES:
        return SPACES[name]
    if name.endswith(".json"):
        from search.oracles.space.space_file import (
            read_space,  # Keras Tuner, for which the help does not wait
        )

        return read_space(Path(name))
    if ":" not in name:
        raise InputError(
            f"unknown space {name!r}: expected one of {', '.join(sorted(SPACES))}, or FILE.py:FUNCTION"
        )
    found = load_function(name, "--space")
    if isinstance(found, Space):
        return found
    if not callable(found):
        raise InputError(f"--space {name}: expected a function, found {type(found).__name__}")
    return Space(declare=found)


def default_study_name(data: str, space: str) -> str:
    """Return what a study of `space` on `data` is called that was given no name: ferplus-small, demo, or ferplus-my-space for a
    file "my space.py"."""
    words = ["demo" if data == "demo" else "ferplus", _plain(space if space in SPACES else _stem(space))]
    return "-".join(dict.fromkeys(words))


def parse_pins(settings: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Return {name: value} of `NAME=VALUE` strings, or of such a dict; numbers become numbers, an alias the value it is of.

    Raises:
        InputError: Not of that form.
    """
    if isinstance(settings, Mapping):
        return canonical_values(settings)
    pins: dict[str, Any] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator or not name or not value:
            raise InputError(f"expected NAME=VALUE, such as dropout=0.3, found {setting!r}")
        pins[name] = parse_value(value)
    return canonical_values(pins)


def _stem(space: str) -> str:
    return Path(space.rpartition(":")[0] or space).stem


def _plain(word: str) -> str:
    """Return `word` as a part of a file name; one that loses letters by it gets a mark, so that two stay apart."""
    letters = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("-._")[:60]
    lost = re.sub(r"[\W_]", "", word.encode("ascii", "ignore").decode()) != re.sub(r"[\W_]", "", word)
    mark = hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return "-".join(filter(None, [plain or "space", mark if lost else ""]))


def parse_value(given: str) -> Any:
    """Return the number that the text `given` is, else the text."""
    for kind in (int, float):
        try:
            return kind(given)
        except ValueError:
            continue
    return given
