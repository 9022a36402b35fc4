"""What another study or a CSV file has shown, told to a search, with trials that take no time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import run_search
from reports.writers.tables import write_csv
from search.oracles.portfolio.observations import observe
from search.oracles.portfolio.unit_cube import UnitCube
from search.storages import evidence, registry
from search.storages.evidence import MOST, Result, evidence_of
from search.study.run_directory import RunDirectory
from search.study.view import read_study
from tests.search import simulated

TRIALS = 15


@pytest.fixture(scope="module", autouse=True)
def without_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        simulated.without_training(patch)
        yield


def search(runs: Path, study: str, *options: str, code: int = 0) -> RunDirectory:
    words = ["search", "--study", study, "--runs-dir", str(runs), "--pruner", "none", "--cache-gb", "0"]
    assert run_search.main([*words, "--set", "backbone=small_vgg", *options]) == code
    return RunDirectory.of(runs, study)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the study "first": random trials of two epochs."""
    folder = tmp_path_factory.mktemp("runs")
    search(folder, "first", "--epochs", "2", "--trials", str(TRIALS), "--oracle", "random")
    return folder


def test_another_study_is_known_and_counts_for_nothing(runs: Path, capsys: pytest.CaptureFixture) -> None:
    options = ["--epochs", "4", "--warm-start", "first", "--trials"]
    run = search(runs, "second", *options, "2")
    assert f"warm start from first: {TRIALS} of {TRIALS} results lie in the space" in capsys.readouterr().out
    search(runs, "second", *options, "3")
    assert "warm start" not in capsys.readouterr().out  # it is known already
    view = read_study(run)
    assert [(trial.number, trial.state) for trial in view.trials] == [(n, "complete") for n in range(3)]
    told, first = evidence_of(view.study), read_study(RunDirectory.of(runs, "first")).trials
    assert [trial.number for trial in told] == list(range(-TRIALS, 0))
    known = {tuple(sorted(trial.hyperparameters.items())): trial for trial in first}
    for one in told:
        trial = known[tuple(sorted(one.params.items()))]
        # The first of two epochs is as far as the second of four.
        assert one.intermediate_values == {2: trial.values[1], 4: trial.values[2]}
        assert one.state == TrialState.COMPLETE


def listed(heading: str) -> re.Pattern[str]:
    """What the docstring of `search.storages.registry` lists under the line that begins with `heading`."""
    assert registry.__doc__ is not None
    (lines,) = re.findall(rf"^{heading}.*\n((?:    .*\n)+)", registry.__doc__, re.MULTILINE)
    names = [re.split(r"  +", line.strip())[0] for line in lines.splitlines()]
    assert len(names) > 5
    return re.compile("|".join(re.sub(r"[A-Z]+$", ".+", name) for name in names))


def test_what_the_database_holds_is_listed(runs: Path) -> None:
    study = read_study(search(runs, "listed", "--warm-start", "first", "--trials", "1")).study
    of_trials, of_study = listed("What the project adds to each"), listed("and to the study")
    for trial in [*read_study(RunDirectory.of(runs, "first")).study.trials, *study.trials]:
        assert [name for name in trial.user_attrs if not of_trials.fullmatch(name)] == []
    assert [name for name in study.user_attrs if not of_study.fullmatch(name)] == []
    assert {name.partition(" ")[0] for name in study.user_attrs} >= {
        "made_by",
        "config",
        "process",
        "evidence:",
    }


def test_of_an_overlapping_space_what_lies_in_both_is_told(runs: Path, capsys: pytest.CaptureFixture) -> None:
    run = search(runs, "sgd", "--set", "optimizer=sgd", "--trials", "2", "--warm-start", "first")
    first = read_study(RunDirectory.of(runs, "first")).trials
    inside = [trial for trial in first if trial.hyperparameters["optimizer"] == "sgd"]
    assert 0 < len(inside) < TRIALS
    assert f"{len(inside)} of {TRIALS} results" in capsys.readouterr().out
    view = read_study(run)
    assert {trial.hyperparameters["optimizer"] for trial in view.trials} == {"sgd"}
    told = sorted(one.params["learning_rate@sgd"] for one in evidence_of(view.study))
    assert told == sorted(trial.hyperparameters["learning_rate@sgd"] for trial in inside)


def test_the_csv_of_a_report_tells_what_its_study_tells(runs: Path, tmp_path: Path) -> None:
    written = write_csv(read_study(RunDirectory.of(runs, "first")), tmp_path / "first.csv")
    tables = {}
    for name, source in {"by-name": "first", "by-csv": str(written)}.items():
        run = search(runs, name, "--epochs", "2", "--trials", "1", "--warm-start", source)
        told = evidence_of(read_study(run).study)
        tables[name] = sorted((sorted(one.params.items()), one.value) for one in told)
    assert tables["by-csv"] == tables["by-name"] and len(tables["by-csv"]) == TRIALS


def test_a_table_of_ones_own_has_the_spaces_defaults_for_what_it_does_not_name(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    table = tmp_path / "known.csv"
    table.write_text("dropout, learning_rate, val_accuracy\n0.5, 0.001, 0.61\n0.35, 0.001, 0.9\n,,0.5\n")
    run = search(runs, "own", "--epochs", "2", "--trials", "1", "--warm-start", str(table))
    assert "2 of 3 results" in capsys.readouterr().out  # a dropout of 0.35 is none of the space's
    best, defaults = (one.params for one in evidence_of(read_study(run).study))
    assert (best["dropout"], best["learning_rate@adamw"]) == (0.5, 0.001)
    assert {k: v for k, v in best.items() if k not in ("dropout", "learning_rate@adamw")} == {
        k: v for k, v in defaults.items() if k not in ("dropout", "learning_rate@adamw")
    }


@pytest.mark.parametrize(
    ("table", "options", "named"),
    [
        (None, [], "expected a study in .*, the folder of one, or a CSV file, found none"),
        (None, ["--oracle", "random"], "expected an oracle that learns from what others had, .*, found random"),
        ("dropout,accuracy\n0.35,0.5\n", [], "expected results in the space of this search, found 1 that are not"),
        ("dropout,accuracy\n", [], "expected results in the space of this search, found 0"),
        ("dropuot,accuracy\n0.3,0.5\n", [], "expected a column accuracy and columns of hyperparameters, found dropuot"),
        ("dropout,macro_f1\n0.3,0.5\n", [], "expected a column accuracy .*, found macro_f1"),
        ("dropout,accuracy\n0.3,high\n", [], "line 2: expected a number in accuracy, found 'high'"),
        ("", [], "found no line"),
    ],
)  # fmt: skip
def test_what_tells_nothing_is_refused_in_one_line(
    table: str | None, options: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    source = tmp_path / "known.csv"
    if table is not None:
        source.write_text(table)
    name = "nobody" if table is None else str(source)
    run = search(tmp_path / "runs", "s", "--warm-start", name, *options, code=2)
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --warm-start")
    assert re.search(named, line) and not run.path.exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--objective", "macro_f1"], "a study of the objective macro_f1, found one of accuracy"),
        (["--set", "image_size=24"], f"in the space of this search, found {TRIALS} that are not"),
    ],
)
def test_a_study_that_tells_nothing_is_refused(
    options: list[str], named: str, runs: Path, capsys: pytest.CaptureFixture
) -> None:
    run = search(runs, "refused", *options, "--warm-start", "first", code=2)
    assert named in capsys.readouterr().err and not run.path.exists()
    run = search(runs, "first", "--epochs", "2", "--oracle", "random", "--warm-start", "first", code=2)
    assert "found random" in capsys.readouterr().err and len(read_study(run).trials) == TRIALS


def test_the_best_of_many_results_are_kept_and_some_of_the_others() -> None:
    study = optuna.create_study(direction="minimize")
    results = [Result({"x": n}, {1: float(n)}, True) for n in range(1000)]
    evidence.keep(study, "many", results)
    kept = [trial.params["x"] for trial in evidence_of(study)]
    assert kept[: MOST // 2] == list(range(MOST // 2)) and len(kept) <= MOST and kept[-1] > 900


def test_results_of_another_budget_are_moved_to_where_the_trials_are() -> None:
    study = optuna.create_study(direction="maximize")
    x = optuna.distributions.FloatDistribution(0, 1)
    elsewhere = [Result({"x": n / 10}, {3: 0.5 + n / 100}, True) for n in range(11)]
    evidence.keep(study, "short", elsewhere)
    for n in (2, 5, 7):
        value = 0.8 + n / 100
        study.add_trial(
            optuna.trial.create_trial(
                params={"x": n / 10}, distributions={"x": x}, value=value, intermediate_values={3: value}
            )
        )
    cube = UnitCube.of_distributions({"x": x})
    seen = observe([*evidence_of(study), *study.trials], cube, maximize=True, sources={})
    moved = np.array([one.best[-1] for one in seen if one.evidence])
    assert sorted(moved) == pytest.approx([0.8 + n / 100 for n in range(11)])
    assert [one.number for one in seen if not one.evidence] == [0, 1, 2]
