"""`seed`, which the baseline's space, class weighting and augmentation were called: the same as `baseline` wherever it is given,
and in studies that were begun with it. Trials take no time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras_tuner
import pytest

import run_search
import spaces
from ferplus_data.augment import AUGMENTATIONS
from ferplus_data.errors import InputError
from models.hyperparameters import ALIASES
from models.optimization.class_weights import CLASS_WEIGHTS
from models.recipe import Recipe
from search import Study, tune
from search.oracles.space.search_space import SpaceModel, declared
from search.oracles.space.space_file import read_space, write_space
from search.storages.evidence import evidence_of
from search.study.run_directory import RunDirectory
from search.study.space import default_study_name, load_space, parse_space
from search.study.view import read_study
from spaces.baseline import baseline
from spaces.space import Space
from tests.search import simulated

NAMES = ["seed", "baseline"]
HYPERPARAMETERS = ["class_weights", "augmentation"]
FAMILIES = ["space", *HYPERPARAMETERS]
QUICK = ["--weights", "none", "--epochs", "2", "--pruner", "none", "--oracle", "random", "--cache-gb", "0"]
MINE = """
from spaces.space import Space
def declare(hp):
    hp.Choice("backbone", ["small_vgg"])
    hp.Choice("class_weights", ["none", "NAME"], default="NAME")
    hp.Choice("augmentation", ["light", "NAME"])
    hp.Choice("dropout", [0.1, 0.2])
mine = Space(declare, {"known": {"class_weights": "NAME", "augmentation": "NAME"}})
"""


@pytest.fixture(autouse=True)
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated.without_training(monkeypatch)


def run(command: str, runs: Path, study: str, *options: str, code: int = 0) -> RunDirectory:
    assert run_search.main([command, *options, "--study", study, "--runs-dir", str(runs)]) == code
    return RunDirectory.of(runs, study)


def search(runs: Path, study: str, *options: str, code: int = 0) -> RunDirectory:
    return run("search", runs, study, *QUICK, *options, code=code)


def trained(directory: RunDirectory) -> list[dict[str, Any]]:
    return [dict(trial.hyperparameters) for trial in read_study(directory).trials]


def asked(directory: RunDirectory) -> tuple[Any, Any]:
    """What the study was asked, and what its space declares."""
    config = directory.read_config()
    return config["arguments"], config["space"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_search_is_the_same_by_either_name_and_goes_on_by_the_other(family: str, tmp_path: Path) -> None:
    def options(name: str) -> list[str]:
        return ["--space", name] if family == "space" else ["--set", f"{family}={name}"]

    found = {}
    for name, other in (NAMES, NAMES[::-1]):
        search(tmp_path, name, *options(name), "--trials", "1")
        directory = search(tmp_path, name, *options(other), "--trials", "3")
        found[name] = asked(directory), trained(directory)
    assert found["seed"] == found["baseline"]
    arguments, trials = found["seed"][0][0], found["seed"][1]
    assert len(trials) == 3
    assert (arguments["space"] if family == "space" else arguments["pins"][family]) == "baseline"
    if family != "space":
        assert {trial[family] for trial in trials} == {"baseline"}


def test_a_search_from_python_is_the_same_by_either_name(tmp_path: Path) -> None:
    found = []
    for name in NAMES:
        options: dict[str, Any] = {"pins": dict.fromkeys(HYPERPARAMETERS, name), "weights": "none"}
        study = tune(
            space=name, trials=2, epochs=2, study=name, runs_dir=tmp_path, cache_gb=0, quiet=True, **options
        )
        found.append((asked(study.run), trained(study.run)))
    assert found[0] == found[1]


def test_a_space_is_the_same_by_either_name() -> None:
    assert load_space("seed") is load_space("baseline") is spaces.SPACES["baseline"]
    assert {default_study_name("faces", parse_space(name)) for name in NAMES} == {"ferplus-baseline"}
    assert not spaces.ALIASES.keys() & spaces.SPACES.keys()


def test_a_space_of_ones_own_is_the_same_by_either_name(tmp_path: Path) -> None:
    found = []
    for name in NAMES:
        (tmp_path / "mine.py").write_text(MINE.replace("NAME", name))
        directory = search(tmp_path, name, "--space", f"{tmp_path / 'mine.py'}:mine", "--trials", "4")
        found.append((asked(directory), trained(directory)))
        kept = write_space(load_space(f"{tmp_path / 'mine.py'}:mine"), "kept", tmp_path)
    assert found[0] == found[1]
    known = found[0][1][0]
    assert (known["class_weights"], known["augmentation"]) == ("baseline", "baseline")
    assert len(list(tmp_path.glob("kept-*.json"))) == 1 and "seed" not in kept.read_text()
    # One that an earlier version has kept.
    kept.write_text(kept.read_text().replace('"baseline"', '"seed"'))
    again = declared(SpaceModel(read_space(kept), {}))
    assert next(one for one in again.space if one.name == "augmentation").values == ["light", "baseline"]


@pytest.mark.parametrize("pinned", [{}, {"class_weights": "seed"}, {"class_weights": "baseline"}])
@pytest.mark.parametrize("name", NAMES)
def test_a_space_function_may_ask_for_what_it_has_written(name: str, pinned: dict[str, str]) -> None:
    def declare(hp: keras_tuner.HyperParameters) -> None:
        if hp.Choice("class_weights", [name, "none"]) == name:
            hp.Choice("dropout", [0.1, 0.2])
        with hp.conditional_scope("class_weights", [name]):
            hp.Choice("batch_size", [32, 64])
        hp.Choice("patience", [4, 8], parent_name="class_weights", parent_values=[name])

    hp = declared(SpaceModel(Space(declare), pinned))
    assert [one.name for one in hp.space] == ["class_weights", "dropout", "batch_size", "patience"]
    conditions = [[list(condition.values) for condition in one.conditions] for one in hp.space]
    assert conditions == [[], [], [["baseline"]], [["baseline"]]]


@pytest.mark.parametrize("family", HYPERPARAMETERS)
def test_a_queued_configuration_is_the_same_by_either_name(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("NAME", "seed"))
    directory = search(tmp_path, "s", "--space", f"{tmp_path / 'mine.py'}:mine", "--trials", "1")
    run("enqueue", tmp_path, "s", f"{family}=seed", "dropout=0.2")
    assert trained(directory)[1][family] == "baseline"
    for name in NAMES:
        run("enqueue", tmp_path, "s", f"{family}={name}", "dropout=0.2", code=2)
        assert "found that of trial 1, which is queued" in capsys.readouterr().err
    with pytest.raises(InputError, match="found that of trial 1"):
        Study(directory, None).enqueue({family: "seed", "dropout": 0.2})


@pytest.mark.parametrize("family", HYPERPARAMETERS)
def test_a_table_of_results_is_the_same_by_either_name(family: str, tmp_path: Path) -> None:
    told = []
    for name in NAMES:
        table = tmp_path / f"{name}.csv"
        table.write_text(f"{family},dropout,accuracy\n{name},0.2,0.61\n")
        options = ["--space", "baseline", "--oracle", "tpe", "--trials", "1", "--warm-start", str(table)]
        told.append([one.params for one in evidence_of(read_study(search(tmp_path, name, *options)).study)])
    assert told[0] == told[1] and [one[family] for one in told[0]] == ["baseline"]


def as_it_was(hp: keras_tuner.HyperParameters) -> None:
    """Declare the space `baseline` as earlier versions did."""

    def choice(name: str, values: list[Any], **options: Any) -> Any:
        return hp.Choice(name, ["seed" if value == "baseline" else value for value in values], **options)

    baseline(
        SimpleNamespace(Choice=choice, Int=hp.Int, Float=hp.Float, conditional_scope=hp.conditional_scope)
    )


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """The study "older" of three trials, which an earlier version has begun: `seed` is in its config.json and its database."""
    with monkeypatch.context() as patch:
        for name, table in (("class_weights", CLASS_WEIGHTS), ("augmentation", AUGMENTATIONS)):
            patch.delitem(ALIASES, name)
            patch.setitem(table, "seed", table["baseline"])
        patch.delitem(spaces.ALIASES, "seed")
        patch.setitem(spaces.SPACES, "seed", Space(as_it_was))
        directory = search(
            tmp_path, "older", "--space", "seed", "--set", "augmentation=seed", "--trials", "3"
        )
    arguments, space = asked(directory)
    assert arguments["space"] == arguments["pins"]["augmentation"] == "seed" and "baseline" not in str(space)
    assert {trial["augmentation"] for trial in trained(directory)} == {"seed"}
    return directory


def test_an_older_study_is_shown_and_none_of_its_trials_is_lost(
    older: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run("status", tmp_path, "older")
    for form in ("html", "csv"):
        run("report", tmp_path, "older", "--format", form)
    assert "augmentation" in older.report.read_text(encoding="utf-8")
    for values in trained(older):
        recipe = Recipe.from_hyperparameters(values)  # as retraining and export make it
        assert recipe.augmentation == "baseline" and recipe.class_weights != "seed"
    capsys.readouterr()
    options = ["--space", "baseline", "--set", "augmentation=baseline", "--oracle", "tpe", "--trials", "1"]
    told = evidence_of(read_study(search(tmp_path, "new", *options, "--warm-start", "older")).study)
    assert "3 of 3 results lie in the space" in capsys.readouterr().out
    assert {one.params["augmentation"] for one in told} == {"baseline"}


def test_an_older_study_is_not_continued_with_other_words(
    older: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept = older.config.read_bytes(), older.database.read_bytes()
    for name in NAMES:
        options = ["--space", name, "--set", f"augmentation={name}", "--trials", "4"]
        search(tmp_path, "older", *options, code=2)
        assert "study older: its space baseline declares other hyperparameters now" in capsys.readouterr().err
    for command, *words in (["enqueue", "dropout=0.2"], ["worker"]):
        run(command, tmp_path, "older", *words, code=2)
        assert "its space baseline declares other hyperparameters now" in capsys.readouterr().err
    assert (older.config.read_bytes(), older.database.read_bytes()) == kept
