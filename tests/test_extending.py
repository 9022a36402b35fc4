"""The recipes of docs/extending.md that are of no training, followed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attrs
import keras_tuner
import numpy as np
import plotly.graph_objects as go
import pytest

import run_search
from ferplus_data.errors import InputError
from ferplus_data.readers import READERS, Decoded, Progress, Reader, find_source, read
from ferplus_data.readers.decoded import Labels, in_order
from reports.figures import FIGURES, FigureEntry
from reports.figures.style import figure
from reports.html.page import render
from search.oracles.space.search_space import declared, recipe_values
from search.setup import space_model
from search.storages.rdb import DatabaseStorage
from search.storages.registry import open_storage, open_study
from search.storages.urls import SCHEMES, Scheme, check_url
from search.study import options as o
from search.study.arguments import SearchArguments
from search.study.view import StudyView
from spaces import SPACES
from spaces.space import Space
from tests.reports.conftest import make_view

GUIDE = Path(run_search.__file__).parent / "docs" / "extending.md"


@attrs.frozen(kw_only=True)
class MoreArguments(SearchArguments):
    momentum_noise: float = o.option(
        o.number(least=0, most=1), "Noise added to the momentum of each trial.", o.TRAINING, default=0.0
    )


def test_an_option_is_checked_and_has_its_default() -> None:
    assert MoreArguments(momentum_noise="0.25").momentum_noise == 0.25
    assert MoreArguments().momentum_noise == 0.0
    assert o.flag_of("momentum_noise", o.options_of(MoreArguments)["momentum_noise"]) == "--momentum-noise"
    for bad in ("nan", "-1", "two"):
        with pytest.raises(InputError, match="^--momentum-noise: expected .*, found"):
            MoreArguments(momentum_noise=bad)


def test_a_storage_scheme_is_checked_opened_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(url: str, shown: str) -> None:
        if not url.endswith(".lake"):
            raise InputError(f"storage {shown}: expected lake:///FILE.lake")

    def open_lake(url: str, **options: Any) -> DatabaseStorage:
        return DatabaseStorage(url.replace("lake", "sqlite", 1), **options)

    monkeypatch.setitem(SCHEMES, "lake", Scheme("lake:///FILE.lake", check, open_lake))
    url = f"lake:///{tmp_path}/studies.lake"
    open_study(open_storage(url), "faces").study.enqueue_trial({"dropout": 0.3})
    (trial,) = open_study(open_storage(url), "faces").study.trials
    assert trial.system_attrs["fixed_params"] == {"dropout": 0.3}
    with pytest.raises(InputError, match="expected lake:///FILE.lake"):
        check_url("lake:///studies.db", "lake:///studies.db")
    with pytest.raises(InputError, match="or lake:///FILE.lake, found pond"):
        check_url("pond:///studies", "pond:///studies")


@dataclass(frozen=True)
class Arrays:
    place: Path

    def files(self) -> list[str]:
        return [str(self.place)]

    def decode(self, progress: Progress) -> Decoded:
        with np.load(self.place) as arrays:
            return in_order(arrays["images"], arrays["votes"], arrays["split"], arrays["names"].tolist())

    def labels(self) -> Labels:
        with np.load(self.place) as arrays:
            return Labels(arrays["names"].tolist(), arrays["votes"], arrays["split"])


def find_arrays(data: Path, cache_dir: Path) -> Arrays | None:
    return Arrays(data) if data.suffix == ".npz" else None


def test_a_reader_is_asked_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "npz", Reader(find_arrays, "a .npz file of images, votes, split and names"))
    path, images = tmp_path / "faces.npz", np.arange(3 * 48 * 48, dtype=np.uint8).reshape(3, 48, 48)
    votes = np.eye(3, 10, dtype=np.uint8) * 10
    np.savez(path, images=images, votes=votes, split=np.array([2, 0, 1], np.uint8), names=["c", "a", "b"])
    name, source = find_source(path, cache_dir=tmp_path)
    assert name == "npz" and source.labels().names == ["c", "a", "b"]
    decoded = read(path, cache_dir=tmp_path)
    assert decoded.names == ["a", "b", "c"]
    np.testing.assert_array_equal(decoded.images, images[[1, 2, 0]])
    with pytest.raises(InputError, match="or a .npz file of images, votes, split and names; found nothing"):
        find_source(tmp_path / "missing", cache_dir=tmp_path)


def quick(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("backbone", ["small_vgg"])
    hp.Float("learning_rate", 1e-3, 1e-2, sampling="log")
    hp.Choice("dropout", [0.0, 0.2, 0.4])


def test_a_space_is_taken_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = {"by-hand": {"dropout": 0.2}}
    monkeypatch.setitem(SPACES, "quick", Space(quick, recipes, epochs=6, retrain_epochs=12))
    arguments = SearchArguments(data="demo", space="quick", pins={"augmentation": "none"})
    assert (arguments.epochs, arguments.retrain_epochs) == (6, 12)
    space = declared(space_model(arguments))
    assert {one.name for one in space.space} == {"augmentation", "backbone", "learning_rate", "dropout"}
    values = recipe_values(space, recipes["by-hand"], arguments.pins)
    assert values["dropout"] == 0.2 and values["backbone"] == "small_vgg"


def draw(view: StudyView) -> go.Figure | None:
    seconds = [trial.seconds for trial in view.trials if trial.seconds is not None]
    if not seconds:
        return None
    shows = f"{len(seconds)} trials took {min(seconds):.0f} to {max(seconds):.0f} s."
    return figure(go.Histogram(x=seconds), shows=shows, xaxis={"title": {"text": "seconds"}})


def test_a_figure_is_on_the_page_or_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = FigureEntry(
        draw, "Seconds of the trials", "How many trials took how long.", "search", "No trial has ended."
    )
    monkeypatch.setitem(FIGURES, "trial_seconds", entry)
    page = render(make_view("one trial"))
    assert 'id="figure-trial_seconds"' in page and "1 trials took" in page
    page = render(make_view("no trials"))
    assert 'id="figure-trial_seconds"' not in page and "No trial has ended." in page


def test_the_guide_has_a_section_for_each() -> None:
    sections = re.findall(r"^## (.+)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {
        "A command line option",
        "Storage scheme",
        "Oracle",
        "Pruner",
        "Reader",
        "Space",
        "Figure",
    } <= set(sections)
