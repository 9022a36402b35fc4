"""What a search would find on this machine, looked at before anything is decoded, fetched or made."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras_tuner

from ferplus_data.cache import cache_directory
from ferplus_data.dataset import is_prepared
from ferplus_data.errors import InputError
from ferplus_data.label_files import labels_source
from ferplus_data.labels import PROTOCOLS
from ferplus_data.readers import SPLITS, find_source
from models.backbones.published_weights import Release
from models.backbones.registry import BACKBONES
from models.device.machine import machine
from models.device.precision import resolve_precision
from models.hyperparameters import base_name
from search.console.trial_lines import duration
from search.oracles.space.search_space import SpaceModel, declared
from search.preflight import check_before, check_placement
from search.setup import backbones, space_model, way_out, weights_for
from search.storages.redaction import redact
from search.storages.registry import open_storage
from search.study import ownership
from search.study.arguments import SearchArguments
from search.study.run_directory import RunDirectory, storage_url
from search.time_estimate import estimate

OK, NOTE, WRONG = "ok", "note", "wrong"
_GB = 10**9
_LITTLE_DISK = 5 * _GB
"""Free bytes below which a search of some length may fill the disk: checkpoints, decoded data, activations."""
_REACH_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One line of the table: what was looked at, OK, NOTE or WRONG, and what was found."""

    subject: str
    state: str
    found: str


def findings(
    arguments: SearchArguments, run: RunDirectory, *, storage: str | None, fresh: bool
) -> Iterator[Finding]:
    """Yield what a search of `arguments` in `run` would find, a line as soon as it is known."""
    url = storage_url(run, storage)
    yield from _looked("options", lambda: _options(arguments, run, url, fresh))
    rows = dict.fromkeys(SPLITS, 0)
    yield from _looked("data", lambda: _data(arguments, rows))
    model = declared_space = None
    try:
        model = space_model(arguments)
        declared_space = declared(model)
    except InputError as error:
        yield Finding("space", WRONG, str(error))
    else:
        names = ", ".join(sorted({base_name(hp.name) for hp in declared_space.space}))
        yield Finding("space", OK, f"{arguments.space}: {len(declared_space.space)} hyperparameters: {names}")
        for backbone in backbones(declared_space):
            yield _weights(arguments, backbone)
    yield from _looked("device", lambda: _device(arguments))
    yield from _looked("disk", lambda: _disk(run))
    yield from _looked("storage", lambda: _storage(run, url, storage is not None))
    if model is not None and declared_space is not None and rows["train"]:
        yield from _looked("time", lambda: _time(arguments, model, declared_space, rows))


def _looked(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except InputError as error:
        yield Finding(subject, WRONG, " ".join(str(error).split()))


def _options(arguments: SearchArguments, run: RunDirectory, url: str, fresh: bool) -> Iterator[Finding]:
    check_before(arguments, run, url, fresh=fresh)
    check_placement(arguments)
    ownership.check_directory(run)
    what = "begins"
    if run.config.exists():
        what = "starts over" if fresh else "continues"
    yield Finding("study", OK, f"{run.study} in {run.path} {what}")


def _data(arguments: SearchArguments, rows: dict[str, int]) -> Iterator[Finding]:
    """Also put the rows that stay into `rows`."""
    reader, source = find_source(arguments.data)
    names, votes, split = source.labels()
    labels = PROTOCOLS[arguments.protocol](votes)
    for index, name in enumerate(SPLITS):
        rows[name] = round(int(((split == index) & (labels >= 0)).sum()) * arguments.subset)
    kept = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    yield Finding("data", OK, f"{source.place} ({reader}): {len(names):,} rows, of which stay {kept}")
    file = labels_source(names, votes, split)
    demo = arguments.data == "demo"
    known = "generated" if demo else file
    yield Finding("labels", OK if demo or not file.startswith("no ") else NOTE, known)


def _weights(arguments: SearchArguments, name: str) -> Finding:
    subject, weights = f"weights of {name}", weights_for(arguments, name)
    published = BACKBONES[name].weights
    if weights == "none":
        return Finding(subject, OK, "random")
    if published is None or weights != published.name:
        there = Path(weights).expanduser().is_file()
        return Finding(subject, OK if there else WRONG, weights if there else f"{weights}: no such file")
    found = published.found()
    if found is not None:
        return Finding(subject, OK, f"{published.name}, {found}")
    if not isinstance(published, Release):
        try:
            published.path()
        except InputError as error:
            return Finding(subject, WRONG, str(error))
    assert isinstance(published, Release)
    try:
        request = urllib.request.Request(published.url, method="HEAD")
        with urllib.request.urlopen(request, timeout=_REACH_SECONDS) as answer:
            size = int(answer.headers.get("Content-Length", 0)) / 1e6
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        return Finding(
            subject,
            WRONG,
            f"{published.file} is not here and {published.url} was not reached ({why}); put the file into {published.folder}, "
            f"name a copy with --weights FILE, or use --weights none{way_out([name])}",
        )
    return Finding(subject, NOTE, f"{published.name}, {size:.0f} MB to be fetched from {published.url}")


def _device(arguments: SearchArguments) -> Iterator[Finding]:
    here = machine()
    precision, _ = resolve_precision(arguments.precision)
    device = ", ".join(here["gpus"]) or f"no GPU; {here['cpus']} CPU cores, {here['processor']}"
    yield Finding("device", OK if here["gpus"] else NOTE, f"{device}; trials compute in {precision}")


def _disk(run: RunDirectory) -> Iterator[Finding]:
    for what, path in (("runs", run.path), ("cache", cache_directory())):
        place = path.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        state = OK if free >= _LITTLE_DISK else NOTE
        yield Finding(f"disk for {what}", state, f"{free / _GB:,.0f} GB free in {place}")


def _storage(run: RunDirectory, url: str, named: bool) -> Iterator[Finding]:
    if not named and not run.database.exists():
        yield Finding("storage", OK, f"{run.database}, to be made")
        return
    study = ownership.stored_study(run, open_storage(url), url)
    known = "no study of this name" if study is None else f"{len(study.get_trials(deepcopy=False))} trials"
    yield Finding("storage", OK, f"{redact(url) if named else run.database}: {known}")


def _time(
    arguments: SearchArguments,
    model: SpaceModel,
    space: keras_tuner.HyperParameters,
    rows: dict[str, int],
) -> Iterator[Finding]:
    found = estimate(arguments, model, space, rows)
    a_face = ", ".join(f"{name} {1000 * seconds:.2g} ms" for name, seconds in found.per_face.items())
    trial = f"{duration(found.trial)} a trial of {arguments.epochs} epochs (a face and step: {a_face})"
    yield Finding("time of trials", OK, f"about {trial}, without what the activation cache saves")
    total = found.search + found.retraining
    limit = "" if arguments.timeout is None else f"; --timeout ends it after {duration(arguments.timeout)}"
    yield Finding(
        "time in all",
        NOTE if arguments.timeout is None and total > 86400 else OK,
        f"at most about {duration(found.search)} for {found.trials:g} full trials, if none is stopped, and "
        f"{duration(found.retraining)} for the retraining{limit}",
    )
    if not is_prepared(arguments.data):
        yield Finding(
            "time on top",
            NOTE,
            "once, before the first trial, the data is decoded and its photographs are numbered: of FER+ some minutes",
        )
