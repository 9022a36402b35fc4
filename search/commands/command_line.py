"""The command line: options classes -> argparse -> the command that was asked for -> an exit code."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import attrs

from ferplus_data.console import program, say
from ferplus_data.errors import InputError
from models.device.keras_settings import check_keras_settings
from search.commands.study_options import SayingOptions, logs
from search.console.streams import abandon_output, repair_streams
from search.storages.redaction import redact
from search.study.options import GROUPS, Option, flag_of, options_of

DONE, SOME_REFUSED, BAD_INPUT, NO_TRIAL_COMPLETED, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = {
    DONE: "done",
    SOME_REFUSED: "done, but something was refused: one bad picture among many, a format that failed its proof",
    BAD_INPUT: "bad usage or input: one line says where, what was expected, what was found",
    NO_TRIAL_COMPLETED: "no trial completed",
    INTERRUPTED: "interrupted; the same command goes on",
}
PROGRAM = "run_search.py"
_WIDTH = 100


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        options: The class of its options.
        run: Does it and returns an exit code, None for 0. Its docstring's first paragraph is the help.
        examples: Command lines, without the program's name.
        given: What `run` is handed beside the options, None for nothing.
    """

    options: type
    run: Callable[..., int | None]
    examples: tuple[str, ...] = ()
    given: Any = None

    @property
    def help(self) -> str:
        """What it does, in a sentence or two."""
        return " ".join((self.run.__doc__ or "").partition("\n\n")[0].split())


def main(commands: Mapping[str, Command], about: str, version: str, arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name, the first of `commands` if they name none, and return the exit code.

    Whatever is wrong with them, or with what they name, is one line on standard error.
    """
    repair_streams()
    with contextlib.ExitStack() as while_it_runs:
        try:
            code = _run(commands, about, version, list(arguments), while_it_runs)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            abandon_output()
            return SOME_REFUSED
        except KeyboardInterrupt:
            return _fail("interrupted", INTERRUPTED, arguments)
        except OSError as error:
            told = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
            return _fail(told, BAD_INPUT, arguments)
        except Exception as error:
            # Said by the error itself, for the modules of most errors are not loaded, and loading them takes seconds.
            wrong = BAD_INPUT if isinstance(error, InputError) else getattr(error, "exit_code", None)
            if wrong is None:
                raise
            return _fail(str(error), wrong, arguments)


def _run(
    commands: Mapping[str, Command],
    about: str,
    version: str,
    words: list[str],
    while_it_runs: contextlib.ExitStack,
) -> int:
    if words and words[0] in ("-h", "--help"):
        print(overview(commands, about))
        return DONE
    if words and words[0] == "--version":
        print(f"{PROGRAM} {version}")
        return DONE
    if not words or words[0].startswith("-"):
        words = [next(iter(commands)), *words]
    name = words[0]
    if name not in commands:
        raise InputError(f"command {name!r}: expected one of {', '.join(commands)}{_meant(name, commands)}")
    command = commands[name]
    if any(word in ("-h", "--help") for word in words[1 : words.index("--") if "--" in words else None]):
        print(parser_of(name, command).format_help(), end="")
        return DONE
    options = parse(name, command, words[1:])
    if isinstance(options, SayingOptions):
        while_it_runs.enter_context(logs(options))
    check_keras_settings()
    handed = () if command.given is None else (command.given,)
    return command.run(options, *handed) or DONE


def parse(name: str, command: Command, words: Sequence[str]) -> Any:
    """Return the options of `command`, checked.

    Raises:
        InputError: There is no such option, or a value cannot be one of it.
    """
    parser = parser_of(name, command)
    given, unknown = parser.parse_known_args(words)
    if unknown:
        known = [flag_of(field, about) for field, about in options_of(command.options).items()]
        raise InputError(
            f"{name}: expected none such as {unknown[0]}{_meant(unknown[0].partition('=')[0], known)}"
        )
    return command.options(**vars(given))


def overview(commands: Mapping[str, Command], about: str) -> str:
    """Return the help that names the commands."""
    called = program()
    parser = _Parser(usage=f"{called} [COMMAND] [OPTIONS]", description=about, add_help=False)
    group = parser.add_argument_group("Commands")
    for name, command in commands.items():
        group.add_argument(name, help=_escaped(command.help))
    parser.add_argument_group("Options").add_argument(
        "--version", action="store_true", help="Show the version."
    )
    parser.epilog = f"{called} COMMAND --help shows the options of one."
    return parser.format_help().rstrip()


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """Return the parser of one command; it puts what was given into a namespace, unchecked."""
    options = options_of(command.options)
    arguments = "".join(
        f" [{about.kind.metavar}]" if about.optional else f" {about.kind.metavar} ..."
        for about in options.values()
        if about.positional
    )
    parser = _Parser(
        prog=name,
        usage=f"{program()} {name}{arguments} [OPTIONS]",
        description=_escaped(command.help),
        epilog=_examples(command.examples),
        argument_default=argparse.SUPPRESS,
    )
    add_options(parser, command.options)
    return parser


def add_options(parser: argparse.ArgumentParser, options: type) -> dict[str, list[argparse.Action]]:
    """Add the options that the class `options` declares to `parser`, by group; return what was added for each field."""
    by_group = sorted(options_of(options).items(), key=lambda item: GROUPS.index(item[1].group))
    groups: dict[str, Any] = {}
    added = {}
    for field, about in by_group:
        if about.group not in groups:
            groups[about.group] = parser.add_argument_group(about.group)
        added[field] = _add(groups[about.group], field, about, default_of(options, field))
    return added


def default_of(options: type, field: str) -> str | None:
    """Return what the help says of an option's default, None for one that has to be given or needs none."""
    about, default = options_of(options)[field], attrs.fields_dict(options)[field].default
    if about.positional or not about.kind.metavar:
        return None
    if about.unless_given is not None:
        return about.unless_given
    return None if default is None or isinstance(default, attrs.Factory) else f"{default}"  # type: ignore[arg-type]


def metavar_of(about: Option) -> str:
    """Return what the help calls an option's value: its choices, if it is a choice."""
    names = about.kind.choices
    if not names:
        return about.kind.metavar
    return "{" + ",".join(names) + "}" + (",..." if about.kind.metavar.endswith("...") else "")


def help_of(about: Option, default: str | None) -> str:
    """Return an option's help, with its default and the variable that gives it."""
    notes = [f"default: {default}"] if default else []
    notes += [f"environment: {about.environment}"] if about.environment else []
    notes += ["repeatable"] if about.repeated else []
    return about.help + (f" [{'; '.join(notes)}]" if notes else "")


def _add(group: Any, field: str, about: Option, default: str | None) -> list[argparse.Action]:
    shown = {"help": _escaped(help_of(about, default))}
    if about.positional:
        return [
            group.add_argument(
                field, nargs="*" if about.optional else "+", metavar=about.kind.metavar, **shown
            )
        ]
    if not about.kind.metavar:
        names = [name for name in (about.short, flag_of(field, about)) if name]
        added = [group.add_argument(*names, dest=field, action="store_true", **shown)]
        if about.off:
            added.append(
                group.add_argument(about.off, dest=field, action="store_false", help=argparse.SUPPRESS)
            )
        return added
    action = "append" if about.repeated else "store"
    return [
        group.add_argument(
            flag_of(field, about), dest=field, action=action, metavar=metavar_of(about), **shown
        )
    ]


class _Parser(argparse.ArgumentParser):
    """One whose mistakes are InputErrors, whose options are not abbreviated, and whose help is as wide as the screen, up to a
    width that is read easily."""

    def __init__(self, **options: Any) -> None:
        def formatter(prog: str) -> argparse.HelpFormatter:
            width = min(_WIDTH, int(os.environ.get("COLUMNS") or _WIDTH) if _is_count("COLUMNS") else _WIDTH)
            return argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=max(width, 40))

        super().__init__(formatter_class=formatter, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise InputError."""
        raise InputError(f"{self.prog}: {message}")


def _is_count(variable: str) -> bool:
    return os.environ.get(variable, "").isdecimal()


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _examples(lines: Iterable[str]) -> str | None:
    shown = [f"  {program()} {line}" for line in lines]
    return "\n".join(["Examples:", *shown]) if shown else None


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _fail(message: str, code: int, arguments: Sequence[str]) -> int:
    if "-v" in arguments or "--verbose" in arguments:
        say(traceback.format_exc().rstrip(), stream=sys.stderr)
    say(f"error: {redact(' '.join(message.split()))}", stream=sys.stderr)
    return code
