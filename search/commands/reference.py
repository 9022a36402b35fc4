"""docs/reference.md: every option, variable, exit code, file and hyperparameter, from what declares them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.commands.command_line import EXIT_CODES, PROGRAM, Command, default_of
from search.study.options import GROUPS, Option, flag_of, options_of

VARIABLES = {
    "FERPLUS_STORAGE": "The storage, where `--storage` is not given.",
    "FERPLUS_CACHE": "Where decoded data and activations are kept. Default: `~/.cache/ferplus-tuner`.",
    "FERPLUS_ONNXRUNTIME_WEB": "For `export --format web`: the folder `dist` of a copy of the npm package onnxruntime-web. "
    "Default: where `npm install` put it, here or in a folder above.",
    "FERPLUS_NOTIFY": "Where a message goes when a search ends, as `--notify`, so that no secret stands in a command.",
    "JAX_COMPILATION_CACHE_DIR": "With JAX: a folder that keeps what was compiled, for other workers and later searches.",
    "KERAS_BACKEND": "tensorflow (the default), jax or torch. `~/.keras/keras.json` is not taken into account.",
    "KERAS_HOME": "Where the VGGFace2 weights are kept, in `models/vggface`. Default: `~/.keras`.",
    "KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT": "As Keras Tuner has them, all three or none.",
    "CUDA_VISIBLE_DEVICES": "Which GPUs there are.",
    "COLUMNS": "How wide the help is, up to 100.",
}
FILES = {
    "config.json": "every option, resolved; versions; the data's fingerprint; what the space declares; who worked on it",
    "study.db": "the Optuna study, where `--storage` names no server",
    "trials/NNNN/best.weights.h5": "the weights of trial NNNN's best epoch",
    "trials/NNNN/history.csv": "its epochs, a line each",
    "trials/NNNN/validation.npz": "what its best epoch says of every validation face",
    "trials/NNNN/epoch-NNNN.weights.h5": "its last epoch with the optimizer, while it may go on",
    "trials/NNNN/training.json": "which training the files beside it are of; it marks them as a run's",
    "trials/NNNN/error.txt": "why it failed",
    "workers/N.log": "what placed workers say",
    "keras_tuner/": "what Keras Tuner's own oracles keep",
    "retraining/NNNN/seed-S/": "the retraining of trial NNNN with seed S: files as a trial's, and its model.keras",
    "best/model.keras": "the best retrained model, preprocessing included: uint8 48x48x1 in, 8 probabilities out",
    "best/metrics.json": "its figures, per class and per split",
    "best/predictions.npz": "what it says of every validation face, and of every test face if it was measured on them",
    "best/retraining.json": "which retraining is under way",
    "test_readings.jsonl": "every time that test labels were looked at: when, by which command, which models, why, accuracy",
    "ensemble/": "further configurations that `export --ensemble` retrained, their mean and its figures",
    "report.html": "the report, one file",
    "report.json, report.csv, report-png/": "the same by `report --format`",
    "export/": "what `export` wrote, with its proof in parity.json",
    ".ferplus-tuner.json": "here and in folders below: which files a run wrote there, with their sums; nothing else is replaced",
    ".NAME.lock, study.db.lock": "held while processes wait for each other; empty, and left where they are",
}
"""File of a study, or a folder with all that is in it -> what it is. NNNN and N are numbers, S is a seed, NAME a word."""
_HEAD = """# Reference

Made by `make reference` from what declares it; do not edit.

    python run_search.py [COMMAND] [OPTIONS]

Without a command: `search`. `COMMAND --help` shows one, `--version` the version. An option's value is checked before anything is
done; what is wrong is one line, `error: ...`, on standard error.
"""


def reference(commands: Mapping[str, Command]) -> str:
    """Return the page for `commands`. Loads what the hyperparameters' tables need, which takes seconds."""
    parts = [_HEAD]
    for name, command in commands.items():
        parts.append(f"## {name}\n\n{command.help}\n")
        if command.examples:
            parts.append("\n".join(f"    python {PROGRAM} {line}" for line in command.examples) + "\n")
        parts.append(_options(command.options))
    parts += [
        "## Exit codes\n",
        _table(("code", "meaning"), [(str(c), words) for c, words in EXIT_CODES.items()]),
    ]
    parts += ["## Environment variables\n", _table(("variable", "meaning"), VARIABLES.items())]
    parts += ["## Files of a study, in RUNS_DIR/STUDY\n", _table(("file", "content"), FILES.items())]
    parts += ["## Hyperparameters\n", _hyperparameters()]
    parts += ["### Values that are names\n", _named_values()]
    return "\n".join(parts).rstrip() + "\n"


def _options(options: type) -> str:
    ordered = sorted(options_of(options).items(), key=lambda item: GROUPS.index(item[1].group))
    rows = [(_name(field, about), about.help, default_of(options, field) or "") for field, about in ordered]
    return _table(("option", "meaning", "default"), rows)


def _name(field: str, about: Option) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (about.short, flag_of(field, about)) if flag)
    choices = ", ".join(about.kind.choices) or about.kind.metavar
    return flags if about.positional or not choices else f"{flags} {choices}"


def _hyperparameters() -> str:
    from models.recipe import Recipe, all_own_parameters, hyperparameter_names, meaning_of

    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    own = all_own_parameters()
    rows = []
    for name in hyperparameter_names():
        if name in fields:
            default, declared = fields[name].default, fields[name].metadata
            values = ", ".join(declared["table"]) if declared.get("table") else _bounds(declared["range"])
        else:
            default, values = own[name].default, _bounds(own[name].range)
        rows.append((f"`{name}`", values, _shown(default), meaning_of(name)))
    return _table(("name", "values", "default", "meaning"), rows)


def _named_values() -> str:
    from models.recipe import Recipe

    tables = {field.name: field.metadata.get("table") for field in dataclasses.fields(Recipe)}
    rows = [
        (f"`{name}`", f"`{value}`", _first_paragraph(getattr(made, "body", made)))
        for name, table in tables.items()
        for value, made in (table or {}).items()
    ]
    return _table(("hyperparameter", "value", "what it does"), rows)


def _first_paragraph(function: Any) -> str:
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def _bounds(found: Any) -> str:
    return f"{found.low:g} to {found.high:g}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )
