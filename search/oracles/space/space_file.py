"""Spaces that no file of code holds, such as a notebook's function: what they declare, as JSON."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

import keras_tuner

from ferplus_data.errors import InputError
from ferplus_data.files import write_text
from ferplus_data.files.shapes import read_json
from search.oracles.space.search_space import SpaceModel, declared
from spaces.space import Space

_SHAPE = {
    "space": [{"class_name": str, "config": dict}],
    "recipes": dict,
    "epochs": int,
    "retrain_epochs": int,
    "search_fraction": float,
}


def name_of(space: Any, folder: Path) -> str:
    """Return what config.json calls `space`: its name, FILE.py:FUNCTION of a function that a module holds, and for any other
    function, or a `Space`, the file in `folder` that is written with what it declares.

    Raises:
        InputError: It is no space, or one that cannot be searched.
    """
    if isinstance(space, str):
        return space
    if not isinstance(space, Space) and not callable(space):
        raise InputError(f"space: expected a name, a function or a Space, found {space!r:.60}")
    function = space.declare if isinstance(space, Space) else space
    name = getattr(function, "__name__", "space")
    module = inspect.getmodule(function)
    # A script's own functions are not: naming its file would have the script run once more.
    if module is not None and module.__name__ != "__main__" and getattr(module, name, None) is space:
        return f"{Path(inspect.getfile(function)).resolve()}:{name}"
    plain = "".join(letter for letter in name if letter.isalnum() or letter == "_") or "space"
    whole = space if isinstance(space, Space) else Space(space)
    return str(write_space(whole, plain, folder).resolve())


def write_space(space: Space, name: str, folder: Path) -> Path:
    """Write what `space` declares to NAME-HASH.json in `folder`, and return that file. The hash is of its content.

    Raises:
        InputError: The space cannot be searched.
    """
    model = SpaceModel(space, {})
    content = {
        "space": [
            {"class_name": type(hp).__name__, "config": hp.get_config()} for hp in declared(model).space
        ],
        "recipes": model.space.recipes,
        "epochs": space.epochs,
        "retrain_epochs": space.retrain_epochs,
        "search_fraction": float(space.search_fraction),
    }
    text = json.dumps(content, indent=1, sort_keys=True)
    path = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return path


def read_space(path: Path) -> Space:
    """Return the space that `write_space` wrote to `path`.

    Raises:
        InputError: There is no such file, or it is damaged.
    """
    if not path.is_file():
        raise InputError(f"--space {path}: expected a space's file, found no such file")
    content = read_json(path, _SHAPE, what="a space", otherwise="give the space anew")

    def declare(hp: keras_tuner.HyperParameters) -> None:
        for one in content["space"]:
            _declare(hp, one["class_name"], dict(one["config"]))

    rest = {name: content[name] for name in ("recipes", "epochs", "retrain_epochs", "search_fraction")}
    return Space(declare, **rest)


def _declare(hp: keras_tuner.HyperParameters, kind: str, config: dict[str, Any]) -> None:
    with contextlib.ExitStack() as scopes:
        for condition in config.pop("conditions"):
            parent = condition["config"]
            scopes.enter_context(hp.conditional_scope(parent["name"], parent["values"]))
        getattr(hp, kind)(**config)
