"""Options check what they are given, wherever it comes from; every command's, without loading anything heavy."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from ferplus_data.errors import InputError
from run_search import COMMANDS
from search.study import options as o
from search.study.options import Option, flag_of, names_in, options_of

NUMERIC = ("N", "NUMBER", "DURATION")
POSITIONAL = {"images": ["face.png"], "values": ["dropout=0.4"], "shell": ["bash"]}


def every_option() -> Iterator[tuple[str, str, Option]]:
    for command, about in COMMANDS.items():
        for field, option in options_of(about.options).items():
            yield command, field, option


def made(command: str, **values: Any) -> Any:
    options = COMMANDS[command].options
    return options(**{name: POSITIONAL[name] for name in POSITIONAL if name in options_of(options)} | values)


@pytest.mark.parametrize(
    "bad", ["nan", "inf", "-inf", "1e999", "9" * 400, "-1", "", "many", "0x10", "٣x", "1,000"]
)
@pytest.mark.parametrize(
    ("command", "field", "option"),
    [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in every_option() if one[2].kind.metavar in NUMERIC],
)
def test_what_is_no_number_here_is_refused_by_every_numeric_option(
    command: str, field: str, option: Option, bad: str
) -> None:
    with pytest.raises(InputError, match=r"expected .*, found") as raised:
        made(command, **{field: bad})
    assert str(raised.value).startswith(f"{flag_of(field, option)}: ")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("command", "field", "option"),
    [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in every_option() if one[2].kind.table],
)
def test_a_choice_is_one_of_its_table(command: str, field: str, option: Option) -> None:
    with pytest.raises(InputError, match=f"{flag_of(field, option)}: expected one of .*, found 'delphi'"):
        made(command, **{field: "delphi"})
    for name in option.kind.choices:
        if (command, field) != ("search", "space"):
            made(command, **{field: name})


@pytest.mark.parametrize("table", sorted({one.kind.table for _, _, one in every_option() if one.kind.table}))
def test_the_choices_shown_are_those_of_the_table(table: str) -> None:
    module, _, name = table.rpartition(".")
    assert names_in(table) == tuple(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_default_for_each_option(command: str) -> None:
    options = made(command)
    assert attrs.evolve(options) == options


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retrain_epochs", "0"),
        ("retrain_seeds", "0"),
        ("trial", "-1"),
    ],
)
def test_a_retraining_of_nothing_is_refused(field: str, value: str) -> None:
    with pytest.raises(InputError):
        made("retrain", **{field: value})


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (o.whole(0, 9), "7", 7),
        (o.number(above=0), "1e-3", 0.001),
        (o.duration(), "1h30m", 5400.0),
        (o.choices("search.workers.engines.ENGINES"), "local, ray", ["local", "ray"]),
        (o.COUNT_OR_AUTO, "auto", "auto"),
        (o.path("FILE"), "a/b", Path("a/b")),
    ],
)
def test_texts_stand_for_values(kind: o.Kind, given: str, value: Any) -> None:
    assert kind.parse(given) == value == kind.parse(value)


@pytest.mark.parametrize("given", ["1_0", "٣", "0x10", "1 0", "", "one", None, [1]])
@pytest.mark.parametrize("kind", [o.whole(0, 99), o.number(), o.duration()])
def test_what_is_a_number_nowhere_else_is_none(kind: o.Kind, given: Any) -> None:
    with pytest.raises(InputError, match="expected"):
        kind.parse(given)
