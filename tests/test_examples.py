"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

import run_search

ROOT = Path(run_search.__file__).parent
ELSEWHERE = ("models.training.loop", "search.library")
"""Modules whose examples train networks: tests/models/training and tests/search/test_library.py do what they do."""


def modules_with_examples() -> list[str]:
    found = []
    for top in ("ferplus_data", "models", "search", "spaces", "reports"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if not name.startswith(ELSEWHERE) and ">>> " in path.read_text(encoding="utf-8"):
                found.append(name)
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    import keras_tuner
    import optuna
    from PIL import Image

    from tests.reports.conftest import make_view

    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module = importlib.import_module(name)
    known = {
        "Image": Image,
        "Path": Path,
        "keras": keras,
        "keras_tuner": keras_tuner,
        "np": np,
        "optuna": optuna,
        "view": make_view("one trial"),
    }
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for example in doctest.DocTestFinder(exclude_empty=True).find(
        module, name, globs={**known, **vars(module)}
    ):
        runner.run(example, out=said.append)
    tried, failed = runner.summarize(verbose=False).attempted, runner.failures
    assert tried and not failed, "".join(said)
