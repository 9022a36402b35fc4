"""Options as typed fields: the command line, config.json and docs/reference.md are made from them, and they check what is given.

A command's options are an attrs class, each of whose fields is one option:
    @attrs.frozen(kw_only=True)
    class ReportOptions(StudyOptions):
        every: float = option(number(least=1), "Seconds between two writings.", OUTPUT, default=15)

`ReportOptions(every="15")` takes values and texts alike; one that cannot be is an InputError that names the option. Importing
this file imports nothing that takes long, for it is what `--help` waits for.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attrs

from ferplus_data.errors import InputError

SEARCH, BUDGET, RETRAINING, TRAINING, WORKERS, INPUT, OUTPUT, STUDY, SAYING = GROUPS = (
    "What is searched, and how",
    "How long",
    "Retraining",
    "How a trial is trained",
    "Workers",
    "What is read",
    "What is written",
    "Study",
    "What is said",
)
"""Titles that `--help` sorts options under, in its order."""

LARGEST_SEED = 2**32 - 1
"""What NumPy, TensorFlow and Keras take for a seed at most."""
_ROOT = Path(__file__).parents[2]
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Kind:
    """What an option's value is.

    Attributes:
        metavar: What the help calls the value, such as N.
        parse: What was given, a text or a value -> the value; raises InputError: expected ..., found ...
        table: MODULE.NAME of the dict whose keys are the choices, if it is a choice.
        more: Choices that are not in the table.
    """

    metavar: str
    parse: Callable[[Any], Any]
    table: str | None = None
    more: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The values there are, () where it is no choice."""
        return (*self.more, *names_in(self.table)) if self.table else ()


def whole(least: int, most: int) -> Kind:
    """Return the kind of whole numbers from `least` to `most`."""

    def parse(given: Any) -> int:
        try:
            number = int(given) if re.fullmatch(r"[+-]?[0-9]+", str(given)) else operator.index(given)
        except (ValueError, TypeError):
            raise InputError(f"expected a whole number, found {_brief(given)}") from None
        return _bounded(number, least, most)

    return Kind("N", parse)


def number(*, least: float = -math.inf, above: float = -math.inf, most: float = math.inf) -> Kind:
    """Return the kind of finite numbers of at least `least`, above `above`, and up to `most`."""
    return Kind("NUMBER", lambda given: _bounded(_finite(given), least, most, above))


def duration(*, least: float = -math.inf, above: float = -math.inf, most: float = math.inf) -> Kind:
    """Return the kind of durations in seconds within the bounds, see `number`: 90, 90s, 25m, 8h, 1h30m, 2d."""

    def parse(given: Any) -> float:
        if isinstance(given, str) and re.fullmatch(r"([0-9]+(\.[0-9]+)?[dhms])+", given):
            given = sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)([dhms])", given))
        elif isinstance(given, str) and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", given):
            raise InputError(
                f"expected seconds or a number with d, h, m or s, such as 25m or 1h30m, found {_brief(given)}"
            )
        return _bounded(_finite(given), least, most, above)

    return Kind("DURATION", parse)


def text(metavar: str) -> Kind:
    """Return the kind of texts that are not empty."""

    def parse(given: Any) -> str:
        if not isinstance(given, str) or not given.strip() or "\0" in given:
            raise InputError(f"expected a {metavar.lower().replace('_', ' ')}, found {_brief(given)}")
        return given

    return Kind(metavar, parse)


def path(metavar: str) -> Kind:
    """Return the kind of paths of files or folders."""
    return Kind(metavar, lambda given: Path(text(metavar).parse(str(given))))


def paths(metavar: str) -> Kind:
    """Return the kind of one or more paths."""
    return Kind(metavar, lambda given: [path(metavar).parse(one) for one in given])


def choice(table: str, *more: str) -> Kind:
    """Return the kind of the keys of the dict `table`, MODULE.NAME, and of `more` names."""
    return Kind("NAME", lambda given: _one_of(given, (*more, *names_in(table))), table, more)


def choices(table: str) -> Kind:
    """Return the kind of lists of keys of the dict `table`, with commas between them."""

    def parse(given: Any) -> list[str]:
        words = given.split(",") if isinstance(given, str) else given
        return [_one_of(word.strip(), names_in(table)) for word in words]

    return Kind("NAME,...", parse, table)


def _count_or_auto(given: Any) -> Any:
    try:
        return given if given == "auto" else whole(1, 10_000).parse(given)
    except InputError as error:
        raise InputError(str(error).replace("a whole number", "a whole number or auto")) from None


COUNT_OR_AUTO = Kind("N", _count_or_auto)
"""A count, or "auto"."""
FLAG = Kind("", bool)
"""Given or not."""
FRACTION = number(above=0, most=1)
"""A part of something."""
SEED = whole(0, LARGEST_SEED)
"""A random seed."""


@dataclass(frozen=True)
class Option:
    """What the command line shows of a field; see `option`."""

    kind: Kind
    help: str
    group: str
    unless_given: str | None
    flag: str | None
    short: str | None
    off: str | None
    positional: bool
    repeated: bool
    environment: str | None
    may_change: bool
    optional: bool
    resolve: Callable[[Any], Any] | None


def option(
    kind: Kind,
    help: str,
    group: str,
    *,
    default: Any = None,
    resolve: Callable[[Any], Any] | None = None,
    optional: bool = False,
    unless_given: str | None = None,
    flag: str | None = None,
    short: str | None = None,
    off: str | None = None,
    positional: bool = False,
    repeated: bool = False,
    environment: str | None = None,
    may_change: bool = False,
) -> Any:
    """Return the field of one option.

    Args:
        kind: What its value is.
        help: A sentence or two.
        group: One of `GROUPS`.
        default: Its value where none is given.
        resolve: Computes its default from the options, of which those before it are there.
        optional: Whether None is a value of it; of a positional one, whether it may be left out.
        unless_given: What the help says of its default; None: the default itself.
        flag: Its name on the command line; None: --FIELD.
        short: Its second name, such as -q.
        off: A second flag, which takes a FLAG back.
        positional: Whether it is given without a flag.
        repeated: Whether it may be given several times, which makes a list.
        environment: A variable that gives its default.
        may_change: Whether a study may be continued with another value, because its trials stay comparable.
    """
    about = Option(
        kind=kind,
        help=help,
        group=group,
        unless_given=unless_given,
        flag=flag,
        short=short,
        off=off,
        positional=positional,
        repeated=repeated,
        environment=environment,
        may_change=may_change,
        optional=optional or (default is None and resolve is None and not positional),
        resolve=resolve,
    )
    own = attrs.Factory(resolve, True) if resolve else default
    return attrs.field(
        default=attrs.NOTHING if positional and not optional else own,
        converter=attrs.Converter(_parsed, takes_self=True, takes_field=True),
        metadata={"option": about},
    )


def options_of(kind: type) -> dict[str, Option]:
    """Return the options that the class `kind` declares, by field."""
    return {field.name: field.metadata["option"] for field in attrs.fields(kind)}


def flag_of(name: str, about: Option) -> str:
    """Return what the command line calls the field `name`."""
    return about.kind.metavar if about.positional else about.flag or f"--{name.replace('_', '-')}"


@functools.cache
def names_in(table: str) -> tuple[str, ...]:
    """Return the keys of the dict (or the items of the tuple) MODULE.NAME, from the module's source: importing the modules that
    hold the tables takes seconds, and the help shows their keys."""
    module, _, name = table.rpartition(".")
    place = _ROOT.joinpath(*module.split("."))
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    for statement in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.AnnAssign | ast.Assign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                value = statement.value
                keys: list[Any] = value.keys if isinstance(value, ast.Dict) else getattr(value, "elts", [])
                return tuple(ast.literal_eval(key) for key in keys)
    raise LookupError(f"{table}: no table that is written out")


def _parsed(given: Any, others: Any, field: attrs.Attribute[Any]) -> Any:
    about: Option = field.metadata["option"]
    if given is None and about.resolve is not None:
        given = about.resolve(others)
    if given is None and about.optional:
        return None
    try:
        return about.kind.parse(given)
    except InputError as error:
        named = f"{flag_of(field.name, about)}: " if str(error).startswith("expected") else ""
        raise InputError(f"{named}{error}") from error


def _finite(given: Any) -> float:
    try:
        value = float(str(given).replace("_", "x").encode("ascii"))  # 1_0 and ٣ are numbers to Python alone
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"expected a number, found {_brief(given)}") from None
    if not math.isfinite(value):
        raise InputError(f"expected a finite number, found {_brief(given)}")
    return value


def _bounded(value: Any, least: float, most: float, above: float = -math.inf) -> Any:
    if value < least:
        raise InputError(f"expected {least:,} or more, found {_brief(value)}")
    if value <= above:
        raise InputError(f"expected more than {above:,}, found {_brief(value)}")
    if value > most:
        raise InputError(f"expected up to {most:,}, found {_brief(value)}")
    return value


def _one_of(given: Any, names: Sequence[str]) -> str:
    if given not in names:
        raise InputError(f"expected one of {', '.join(names)}, found {_brief(given)}")
    return given


def _brief(given: Any) -> str:
    shown = repr(given)
    return shown if len(shown) <= 60 else f"{shown[:40]}... ({len(shown)} characters)"
