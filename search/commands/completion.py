"""completion: what a shell needs to complete commands, options, choices and files."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from ferplus_data.errors import InputError
from search.commands.command_line import Command, add_options
from search.study import options as o
from search.study.options import Option, flag_of, option, options_of

EXAMPLES = ("completion bash", "completion zsh")
PROGRAM = "ferplus-tuner"
SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish"}
"""Shell -> shtab's name of it."""
_PLACES = {
    "file": ("DATA", "FILE", "FILE.csv", "FILE.py:FUNCTION", "IMAGE", "MODEL", "WEIGHTS"),
    "directory": ("FOLDER", "RUNS_DIR"),
}
"""What shtab calls a kind of place -> metavars of the options that take one."""

# What follows shtab's script: `python run_search.py` is completed as the program is, python otherwise as before.
_AFTER = {
    "bash": """
if [[ -z ${_ferplus_tuner_python-} ]]; then
  for _ferplus_tuner_loader in _comp_load _completion_loader; do
    declare -F $_ferplus_tuner_loader >/dev/null && { $_ferplus_tuner_loader python; break; }
  done
  _ferplus_tuner_python=$(complete -p python 2>/dev/null | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
  : "${_ferplus_tuner_python:=:}"
fi
_ferplus_tuner_run_search() {
  if [[ ${COMP_WORDS[1]} == *run_search.py ]] && ((COMP_CWORD > 1)); then
    local COMP_CWORD=$((COMP_CWORD - 1)) COMP_WORDS=("${COMP_WORDS[@]:1}")
    _shtab_ferplus_tuner
  else
    "$_ferplus_tuner_python" "$@"
  fi
}
complete -o bashdefault -F _shtab_ferplus_tuner run_search.py
complete -o bashdefault -o default -F _ferplus_tuner_run_search python python3
""",
    "zsh": """
_ferplus_tuner_run_search() {
  if [[ $words[2] == *run_search.py ]] && ((CURRENT > 2)); then
    shift words
    ((CURRENT--))
    _shtab_ferplus_tuner
  elif ((${+functions[_python]})); then
    _python "$@"
  else
    _files
  fi
}
if [[ $zsh_eval_context[-1] == eval ]]; then
  compdef _shtab_ferplus_tuner run_search.py
  compdef _ferplus_tuner_run_search python python3
fi
""",
    "fish": """
function _ferplus_tuner_run_search
  set -l words (commandline -opc)
  complete -C "ferplus-tuner "(string join ' ' -- (string escape -- $words[3..-1]) (commandline -ct))
end
for program in python python3
  complete -c $program -n 'string match -q "*run_search.py" -- (commandline -opc)[2]' -fa '(_ferplus_tuner_run_search)'
end
complete -c run_search.py -w ferplus-tuner
""",
}


def _shell(given: Any) -> str:
    words = [given] if isinstance(given, str) else list(given)
    if len(words) > 1:
        raise InputError(f"SHELL: expected one shell, found {len(words)}")
    name = words[0] if words else Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise InputError(f"SHELL: expected one of {', '.join(SHELLS)}, found {name!r}")
    return name


@attrs.frozen(kw_only=True, slots=False)
class CompletionOptions:
    """For which shell."""

    shell: str = option(
        o.Kind("SHELL", _shell, table="search.commands.completion.SHELLS"),
        "bash, zsh or fish; without one, what the variable SHELL names.",
        o.INPUT,
        positional=True,
        optional=True,
        default=(),
    )


def run(options: CompletionOptions, commands: Callable[[], Mapping[str, Command]]) -> None:
    """Print the script that has a shell complete commands, options, choices and files of ferplus-tuner and of python
    run_search.py."""
    print(script(options.shell, commands()))


def script(shell: str, commands: Mapping[str, Command]) -> str:
    """Return the script for `shell`, one of `SHELLS`."""
    import shtab

    return shtab.complete(_parser(commands), SHELLS[shell]) + "\n" + _AFTER[shell]


def _parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Return one parser of all commands, which knows what each value may be."""
    root = argparse.ArgumentParser(PROGRAM)
    root.add_argument("--version", action="store_true", help="Show the version.")
    places = root.add_subparsers()
    for name, command in commands.items():
        own = places.add_parser(name, help=command.help.replace("%", "%%"))
        abouts = options_of(command.options)
        for field, actions in add_options(own, command.options).items():
            for action in actions:
                _describe(action, field, abouts[field])
    return root


def _describe(action: Any, field: str, about: Option) -> None:
    """Tell shtab what the value of `action` may be, by attributes that it reads."""
    if action.help == argparse.SUPPRESS:
        action.help = f"Not {flag_of(field, about)}."
    action.metavar = about.kind.metavar.replace(":", " ") or None
    names = about.kind.choices
    if field == "space":
        names = o.names_in("spaces.SPACES")
    if about.kind.metavar.endswith("..."):
        action.complete = _listed(names)
    elif names:
        action.choices = names
    elif field == "study":
        action.complete = _of_folder("runs")
    else:
        for place, metavars in _PLACES.items():
            if about.kind.metavar in metavars:
                action.complete = place


def _listed(names: tuple[str, ...]) -> dict[str, Any]:
    """What completes several of `names` with commas between them."""
    called = f"_ferplus_tuner_listed_{hashlib.sha256(repr(names).encode()).hexdigest()[:8]}"
    bash = (
        f"{called}() {{\n"
        '  local before=""\n  [[ $1 == *,* ]] && before="${1%,*},"\n'
        f'  compgen -P "$before" -W {shlex.quote(" ".join(names))} -- "${{1##*,}}"\n}}'
    )
    fish = (
        f"function {called}\n"
        "  set -l before (string match -r '^.*,' -- (commandline -ct))\n"
        f'  for name in {" ".join(names)}\n    echo "$before$name"\n  end\nend'
    )
    return {
        "bash": called,
        "zsh": f"_values -s , name {' '.join(names)}",
        "fish": f"({called})",
        "preamble": {"bash": bash, "fish": fish},
    }


def _of_folder(folder: str) -> dict[str, Any]:
    """What completes the names of the folders in `folder`."""
    called = f"_ferplus_tuner_in_{folder}"
    bash = f'{called}() {{\n  (cd {folder} 2>/dev/null && compgen -d -- "$1")\n}}'
    zsh = f"{called}() {{\n  compadd -- {folder}/*(N/:t)\n}}"
    return {
        "bash": called,
        "zsh": called,
        "fish": f"(path basename {folder}/*/)",
        "preamble": {"bash": bash, "zsh": zsh},
    }
