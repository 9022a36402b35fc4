"""The commands that repeat, retrain, export and evaluate a study."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ferplus_data.console import program
from search.storages.redaction import redact
from search.study.arguments import SearchArguments
from search.study.options import options_of
from search.study.view import StudyView, TrialRecord

DEFAULT_RUNS = "runs"


def commands(view: StudyView) -> dict[str, str]:
    """Purpose -> command line, every word quoted for a POSIX shell and storage passwords left out."""
    study = ["--study", view.name, *_runs_directory(view.directory)]
    searched = [*study, *_options(view.config.get("arguments") or {})]
    return {
        "Reproduce the search": _line("search", searched),
        "Retrain the best trial": _line("retrain", study),
        "Export the model": _line("export", study),
        "Evaluate the model": _line("evaluate", study),
        "Write this report again": _line("report", study),
    }


def trial_command(view: StudyView, trial: TrialRecord) -> str:
    """The command that trains the trial's configuration again, alone, as a study of its own, without a look at test labels."""
    arguments = {
        **(view.config.get("arguments") or {}),
        "trials": 1,
        "workers": 1,
        "timeout": None,
        "test": False,
        "pins": {
            name: value for name, value in trial.hyperparameters.items() if not name.startswith("tuner/")
        },
    }
    study = ["--study", f"{view.name}-trial-{trial.number}", *_runs_directory(view.directory)]
    return _line("search", [*study, *_options(arguments)])


def _line(command: str, words: list[str]) -> str:
    return f"{program()} {shlex.join([command, *words])}"


def _runs_directory(study_directory: Path) -> list[str]:
    """--runs-dir, unless the study lies in the default place under the working directory."""
    parent = study_directory.parent
    return [] if parent.resolve() == Path(DEFAULT_RUNS).resolve() else ["--runs-dir", str(parent)]


def _options(arguments: Mapping[str, Any]) -> list[str]:
    """config.json's arguments as options: unset ones left out, True ones bare, False ones by their off flag, pins as --set."""
    words: list[str] = []
    for name, value in redact(dict(arguments)).items():
        if name in ("study", "runs_dir"):
            continue
        option = f"--{name.replace('_', '-')}"
        if name == "pins":
            for pinned, to in (value or {}).items():
                words += ["--set", f"{pinned}={to}"]
        elif value is True:
            words.append(option)
        elif value is False:
            declared = options_of(SearchArguments).get(name)
            words += [declared.off] if declared is not None and declared.off else []
        elif value is not None:
            words += [option, str(value)]
    return words
