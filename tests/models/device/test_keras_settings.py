"""An old ~/.keras/keras.json changes nothing, or is named; no TensorFlow is started for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest

from ferplus_data.errors import InputError
from models.device.keras_settings import apply_keras_settings, check_keras_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return tmp_path / "keras.json"


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "",
        '{"floatx',
        "\xff",
        *(
            json.dumps(setting)
            for setting in (
                {"backend": "theano"},
                {"backend": "torch"},
                {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3},
            )
        ),
    ],
)
def test_what_keras_can_start_with_is_passed_over(content: str, file: Path) -> None:
    file.write_text(content, encoding="latin-1")
    check_keras_settings()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"floatx": "float8"}, "floatx: expected one of float16, float32, float64, found 'float8'"),
        ({"floatx": None}, "floatx"),
        ({"image_data_format": "channels_middle"}, "image_data_format"),
        ({"epsilon": 1}, "epsilon"),
        ({"epsilon": "small"}, "epsilon"),
        ([1], "expected an object"),
        ("text", "expected an object"),
    ],
)
def test_what_it_cannot_start_with_is_named(settings: Any, said: str, file: Path) -> None:
    file.write_text(json.dumps(settings))
    with pytest.raises(InputError, match=said) as raised:
        check_keras_settings()
    assert str(file) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("backend", ["theano", "cntk", "mxnet", "plaidml", " tensorflow"])
def test_a_backend_that_is_none_is_named(backend: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(InputError, match="KERAS_BACKEND: expected one of tensorflow"):
        check_keras_settings()


def test_the_settings_that_figures_depend_on_are_the_projects() -> None:
    try:
        keras.config.set_floatx("float16")
        keras.config.set_image_data_format("channels_first")
        apply_keras_settings()
        assert (keras.config.floatx(), keras.config.image_data_format()) == ("float32", "channels_last")
        assert keras.layers.Dense(1).dtype_policy.name == "float32"
    finally:
        apply_keras_settings()
