"""The shape of what stands in a JSON file, checked before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ferplus_data.errors import InputError

NUMBER = (int, float)

Shape = type | tuple[type, ...] | dict[str, Any] | list[Any]
"""A type or several; a dict with these keys, those that end in ? may be left out, and others are not looked at; a list of one
shape."""


def read_json(path: Path, shape: Shape, *, what: str, otherwise: str) -> Any:
    """Return the JSON in `path`.

    Args:
        shape: What it has to have.
        what: It is, for the message.
        otherwise: What to do if it is not, for the message.

    Example:
        read_json(Path("plan.json"), {"epochs": int}, what="the plan of a retraining", otherwise="remove it")

    Raises:
        InputError: It is missing, no JSON, or of another shape.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        wrong = _mismatch(value, shape, "")
    except (OSError, ValueError, RecursionError) as error:
        wrong = str(getattr(error, "strerror", None) or error)
    if wrong is not None:
        raise InputError(f"{path}: expected {what}, found: {wrong}; {otherwise}")
    return value


def _mismatch(value: Any, shape: Shape, where: str) -> str | None:
    """What is wrong with `value`; None if nothing is."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return _said(value, where)
        for key, inner in shape.items():
            name = key.removesuffix("?")
            if name not in value:
                if key != name:
                    continue
                return f"no {where}{name}"
            if (wrong := _mismatch(value[name], inner, f"{where}{name}.")) is not None:
                return wrong
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _said(value, where)
        wrongs = (_mismatch(item, shape[0], f"{where}{i}.") for i, item in enumerate(value))
        return next((wrong for wrong in wrongs if wrong is not None), None)
    types = shape if isinstance(shape, tuple) else (shape,)
    fits = isinstance(value, types) and (not isinstance(value, bool) or bool in types)
    return None if fits else _said(value, where)


def _said(value: Any, where: str) -> str:
    return f"{where.rstrip('.') or 'its content'} = {json.dumps(value)[:60]}"
