"""config.json: what a study was asked to do, on what, and whether it may be continued otherwise."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from search.study import options as o
from search.study.arguments import SearchArguments
from search.study.run_directory import RunDirectory

if TYPE_CHECKING:
    from ferplus_data.dataset import Dataset

CONFIG_VERSION = 2
"""Of config.json and of how a study keeps its trials. A study of an earlier one is reported and not continued."""


def write_config(run: RunDirectory, arguments: SearchArguments, dataset: Dataset, space: Any) -> None:
    """Write config.json: all that is needed to run the study again, and what its `space` declared. The storage's URL is not
    in it, for its password. Of a study that is continued only the arguments are written anew."""
    if run.config.exists():
        run.update_config(arguments=attrs.asdict(arguments))
        return
    from ferplus_data.summary import summarise
    from models.device.machine import git_commit, machine, versions
    from models.metrics.ties import label_noise

    # Of the whole training split, or not at all: it is a figure of the data.
    whole = arguments.subset == 1 and not arguments.dedupe
    noise = label_noise(dataset.train, dataset.labels_source) if whole else None
    write_json(
        run.config,
        {
            "version": CONFIG_VERSION,
            "study": run.study,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "arguments": attrs.asdict(arguments),
            "versions": versions(),
            "machine": machine(),
            "data": {
                "source": dataset.source,
                "fingerprint": dataset.fingerprint,
                "labels_source": dataset.labels_source,
                "protocol": dataset.protocol,
                "rows_kept": dataset.kept,
                "label_noise": noise,
                "counts": {name: counts.tolist() for name, counts in dataset.class_counts.items()},
                "splits": {
                    "train": summarise(dataset.train),
                    "val": summarise(dataset.val),
                    "test": dataset.test.summary(),
                },
            },
            "git_commit": git_commit(),
            "space": space,
        },
    )


def load(arguments: SearchArguments) -> Dataset:
    """Return the data set that `arguments` name, as they have it.

    Raises:
        InputError: As `ferplus_data.dataset.load_dataset`.
    """
    from ferplus_data.dataset import load_dataset

    return load_dataset(
        arguments.data,
        subset=arguments.subset,
        dedupe=arguments.dedupe,
        seed=arguments.seed,
        protocol=arguments.protocol,
    )


def read_arguments(run: RunDirectory) -> SearchArguments:
    """Return the arguments of an existing study. What a version before this one did not know has its default.

    Raises:
        InputError: There is no such study here, or its config.json is damaged or of a later version.
    """
    values = run.read_config()["arguments"]
    if "data" not in values:
        raise InputError(f"{run.config}: expected the arguments of a search, found {str(values)[:60]}")
    unknown = values.keys() - o.options_of(SearchArguments).keys()
    if unknown:
        raise InputError(
            f"{run.config}: expected options that this version knows, found {', '.join(sorted(unknown))}; use the version that "
            "wrote it"
        )
    try:
        return SearchArguments(**values)
    except InputError as error:
        raise InputError(f"{run.config}: {error}") from error


def check_continuation(
    run: RunDirectory, arguments: SearchArguments, fingerprint: str | None = None, space: Any = None
) -> None:
    """Raise InputError if the study in `run` was made with arguments, data (by its `fingerprint`) or a `space` whose trials
    cannot be compared with new ones. What is None is not looked at."""
    config = run.read_config()
    if config.get("version") != CONFIG_VERSION:
        raise InputError(
            f"study {run.study}: was begun by another version of this program, whose trials are kept otherwise; it can be "
            "reported; to search, give another --study, or --fresh"
        )
    old = read_arguments(run)
    for name, about in o.options_of(SearchArguments).items():
        before, now = getattr(old, name), getattr(arguments, name)
        if before != now and not about.may_change:
            raise InputError(
                f"study {run.study}: was begun with {name}={before!r}, found {now!r}; give the same, another --study, or --fresh"
            )
    if space is not None and space != config.get("space"):
        raise InputError(
            f"study {run.study}: its space {arguments.space} declares other hyperparameters now; give another --study, or --fresh"
        )
    begun_with = str(config.get("data", {}).get("fingerprint"))
    if fingerprint is not None and begun_with != fingerprint:
        raise InputError(
            f"study {run.study}: was begun on data {begun_with[:12]}, found {fingerprint[:12]}; give the same data, another "
            "--study, or --fresh"
        )
