"""Where a study's files are, and how they get there."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferplus_data.console import program
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.shapes import read_json

_RETRAINING = re.compile(r"(best|\d{4,})/seed-\d+")
_COUNTS = {"train": [int], "val": [int], "test": [int]}
_CONFIG = {
    "study": str,
    "arguments": dict,
    "data": {"source": str, "fingerprint": str, "counts": _COUNTS},
}
# What is a plain file name everywhere; a study name becomes one.
_STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class RunDirectory:
    """`runs/STUDY` and the files in it."""

    path: Path

    @classmethod
    def of(cls, runs_dir: Path, study: str) -> RunDirectory:
        """Return the directory of `study`, which need not exist.

        Raises:
            InputError: `study` is not a plain name.
        """
        if not _STUDY_NAME.fullmatch(study):
            raise InputError(
                f"study name {study!r}: expected up to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit"
            )
        return cls(runs_dir / study)

    @classmethod
    def latest(cls, runs_dir: Path) -> RunDirectory:
        """Return the directory of the study in `runs_dir` that was last searched or retrained.

        Raises:
            InputError: There is none.
        """
        configs = sorted(runs_dir.glob("*/config.json"), key=lambda path: path.stat().st_mtime)
        if not configs:
            raise InputError(
                f"runs directory {runs_dir}: expected a study, found none; start one with: {program()} search"
            )
        return cls(configs[-1].parent)

    @property
    def study(self) -> str:
        return self.path.name

    def stored_name(self) -> str:
        """The study's name in the storage: that of the directory when it was begun, wherever it has been copied since."""
        return self.read_config()["study"] if self.config.exists() else self.study

    def unique_name(self) -> str:
        """The study's name in a store that other studies of that name may share: with a mark of when it was begun."""
        begun = str(self.read_config().get("created")).encode()
        return f"{self.stored_name()}-{hashlib.sha256(begun).hexdigest()[:8]}"

    def read_config(self) -> dict[str, Any]:
        """Return the content of config.json.

        Raises:
            InputError: There is no study here, or the file is damaged.
        """
        if not self.config.exists():
            raise InputError(
                f"study {self.study}: expected {self.config}, found no such file; start it with: {program()} search"
            )
        return read_json(
            self.config,
            _CONFIG,
            what="what a study was asked to do",
            otherwise="put a copy of it back, or begin another study with --study NAME",
        )

    def update_config(self, **fields: Any) -> None:
        """Write `fields` of config.json anew; one process at a time, so that none undoes what another writes."""
        if fields.items() <= self.read_config().items():
            return
        from ferplus_data.files.locks import locked

        with locked(self.path / ".config.lock", every=0.02):
            write_json(self.config, {**self.read_config(), **fields})

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def database(self) -> Path:
        return self.path / "study.db"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def best_model(self) -> Path:
        return self.path / "best" / "model.keras"

    @property
    def metrics(self) -> Path:
        return self.path / "best" / "metrics.json"

    @property
    def predictions(self) -> Path:
        return self.path / "best" / "predictions.npz"

    @property
    def test_readings(self) -> Path:
        """The ledger of looks at the test labels, see `search.study.readings`."""
        return self.path / "test_readings.jsonl"

    @property
    def retraining_plan(self) -> Path:
        return self.path / "best" / "retraining.json"

    def trial(self, number: int) -> Path:
        """The directory of the trial that began as number `number`."""
        return self.path / "trials" / f"{number:04d}"

    def retraining(self, number: int, seed: int) -> Path:
        """The directory of the retraining of trial `number` with `seed`."""
        return self.path / "retraining" / f"{number:04d}" / f"seed-{seed}"

    def retrainings(self) -> list[Path]:
        """The directories of all retrainings."""
        # In best/ those of earlier versions are, which retrained one configuration.
        found = [*self.path.glob("best/seed-*"), *self.path.glob("retraining/*/seed-*")]
        return sorted(path for path in found if _RETRAINING.fullmatch(f"{path.parent.name}/{path.name}"))

    def create(self) -> None:
        """Make the directory.

        Raises:
            InputError: It cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"run directory {self.path}: expected to be able to write there, found: {error.strerror or error}; choose "
                "another with --runs-dir"
            ) from error


def storage_url(run: RunDirectory, url: str | None) -> str:
    """Return `url`, or that of the SQLite file in the run directory, whose path may hold what means something in a URL, or,
    as braces do to Optuna, in a template of one."""
    if url:
        return url
    import sqlalchemy

    own = sqlalchemy.URL.create("sqlite", database=str(run.database.resolve()))
    return own.render_as_string().replace("{", "{{").replace("}", "}}")
