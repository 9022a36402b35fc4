from __future__ import annotations

from pathlib import Path

import pytest

from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from search.study.options import duration
from search.study.run_directory import RunDirectory


@pytest.mark.parametrize("name", ["a/b", "../x", "", ".", "..", "a b", "a\nb", "x" * 101, "a\\b", "-x"])
def test_a_study_name_is_a_plain_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="study name"):
        RunDirectory.of(tmp_path, name)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="run directory .*file.*--runs-dir"):
        RunDirectory.of(tmp_path / "file", "s").create()


def test_the_latest_study_is_the_default(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a study"):
        RunDirectory.latest(tmp_path)
    for age, name in enumerate(["new", "old"]):
        config = RunDirectory.of(tmp_path, name).config
        write_json(config, {})
        import os

        os.utime(config, (1000 - age, 1000 - age))
    assert RunDirectory.latest(tmp_path).study == "new"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(90, 90), ("90", 90), ("90s", 90), ("25m", 1500), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400)],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert duration().parse(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "25 min", "-5", "1x", "h1", "nan", "inf", "9" * 400])
def test_a_bad_duration_is_named(text: str) -> None:
    with pytest.raises(InputError, match="expected"):
        duration(above=0).parse(text)
