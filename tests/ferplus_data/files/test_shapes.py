from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ferplus_data.errors import InputError
from ferplus_data.files.shapes import NUMBER, read_json

SHAPE = {"trial": int, "score": NUMBER, "seeds": [{"seed": int}], "note?": str}
WHOLE = '{"trial": 3, "score": 0.5, "seeds": [{"seed": 1, "more": null}], "more": []}'


def read(path: Path, content: str) -> Any:
    path.write_text(content, encoding="utf-8")
    return read_json(path, SHAPE, what="a result", otherwise="remove it")


def test_what_has_the_shape_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", WHOLE)["seeds"] == [{"seed": 1, "more": None}]
    assert read(tmp_path / "x.json", WHOLE.replace("0.5", "1"))["score"] == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "Expecting value"),
        (WHOLE[:-5], "delimiter"),
        ("[]", r"its content = \[\]"),
        ("null", "its content = null"),
        ("{}", "no trial"),
        (WHOLE.replace("3", '"3"', 1), 'trial = "3"'),
        (WHOLE.replace("3", "true", 1), "trial = true"),
        (WHOLE.replace("3", "3.5", 1), "trial = 3.5"),
        (WHOLE.replace('"seed"', '"sad"'), "no seeds.0.seed"),
        (
            WHOLE.replace("[{", "{").replace("}]", "}").replace('"seed": 1', '"seed": 1}, "x": {"seed": 1'),
            "seeds = ",
        ),
        (WHOLE.replace('"more": []', '"note": 1'), "note = 1"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_has_not_is_named_with_its_place(content: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=found) as raised:
        read(tmp_path / "x.json", content)
    assert str(tmp_path / "x.json") in str(raised.value) and str(raised.value).endswith("; remove it")


def test_a_directory_and_nothing_are_named(tmp_path: Path) -> None:
    (tmp_path / "d.json").mkdir()
    for name in ("d.json", "none.json"):
        with pytest.raises(InputError, match=name):
            read_json(tmp_path / name, SHAPE, what="a result", otherwise="remove it")
