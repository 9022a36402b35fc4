"""What a search says of data and weights that are not there, before any of them is read."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import keras
import pytest
from rich.console import Console

from ferplus_data.errors import InputError
from search import setup
from search.console.progress import Progress
from search.study.config import SearchArguments


@pytest.fixture(autouse=True)
def nothing_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> str:
        raise Exception("no network")

    def not_installed(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", unreachable)
    monkeypatch.setattr(importlib.metadata, "files", not_installed)
    monkeypatch.setattr(setup, "load", lambda arguments: pytest.fail("data was read"))


@pytest.mark.parametrize(
    ("space", "files", "ways_out"),
    [
        (
            "ferplus",
            ["rcmalli_vggface_tf_notop_resnet50.h5", "rcmalli_vggface_tf_notop_senet50.h5"],
            ["--space transfer", "--weights FILE", "--weights none"],
        ),
        (
            "transfer",
            ["dlib_face_recognition_resnet_model_v1.dat"],
            ["pip install -r requirements-dlib.txt", "--weights FILE", "--weights none"],
        ),
    ],
)
def test_missing_weights_are_named_before_data_is_read(
    space: str, files: list[str], ways_out: list[str]
) -> None:
    with pytest.raises(InputError) as raised:
        setup.prepare(SearchArguments(data="demo", space=space), Progress(Console()))
    message = str(raised.value)
    assert all(part in message for part in [*files, *ways_out]) and "\n" not in message
    assert ("--space transfer" in message) == ("--space transfer" in ways_out)


def test_a_path_without_data_is_named_before_weights_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: expected .*fer2013"):
        setup.prepare(SearchArguments(data=str(tmp_path / "nowhere"), space="ferplus"), Progress(Console()))
