"""What a terminal shows: a trial's line, the time left, how far a study is, its status in 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

import run_search
from ferplus_data.errors import InputError
from search.commands.study_options import SayingOptions, announce, logs, progress_of
from search.console.progress import Progress
from search.console.status import status_table, watch
from search.console.study_progress import StudyProgress
from search.console.trial_lines import Goal, standing, time_left, trial_line, varied
from search.storages.registry import open_storage, open_study
from search.storages.trial_life import State
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord, best_trial, record_of


def row(number: int, values: list[float], state: str = "complete", **attributes: Any) -> FrozenTrial:
    """A stored trial with an epoch a value, each of which took 10 s."""
    stored = {
        "complete": TrialState.COMPLETE,
        "running": TrialState.RUNNING,
        "pruned": TrialState.PRUNED,
        "resting": TrialState.WAITING,
    }
    trial = optuna.trial.create_trial(
        state=stored[state],
        value=max(values) if state == "complete" else None,
        params={"dropout": 0.1 * number, "optimizer": "sgd"},
        distributions={
            "dropout": optuna.distributions.FloatDistribution(0, 1),
            "optimizer": optuna.distributions.CategoricalDistribution(["sgd"]),
        },
        user_attrs={"state": state, "times": {"training": 10.0 * len(values)}, "seconds_per_epoch": 10.0}
        | attributes,
        intermediate_values=dict(enumerate(values, 1)),
    )
    trial.number = number
    return trial


def test_a_trials_line_has_what_differs_the_best_and_the_count() -> None:
    trials = {0: row(0, [0.5, 0.6]), 1: row(1, [0.4], "pruned"), 2: row(2, [0.55], "running")}
    line = trial_line(1, trials, Goal(9), 12.4)
    assert line == (
        "trial   1 pruned 2/9  val_accuracy 0.4000 after 1 epochs  best 0.6000 (trial 0)  dropout=0.1  12 s"
    )
    assert "best 0.6000 (trial 0)" in trial_line(
        0, {0: trials[0]}, Goal(9), 1
    ) and "dropout" not in trial_line(0, {0: trials[0]}, Goal(9), 1)


@pytest.mark.parametrize(("seconds", "words"), [(42.4, "42 s"), (754, "13 min"), (11_100, "3 h 05 min")])
def test_how_long_a_trial_took_is_told_as_people_write_it(seconds: float, words: str) -> None:
    assert trial_line(0, {0: row(0, [0.5])}, Goal(9), seconds).endswith(f"  {words}")
    began = datetime(2026, 3, 4, 9, 30)
    ended = began + timedelta(seconds=seconds)
    trial = replace(record(0, 0.5, dropout=0.1), started=began, ended=ended)
    assert words in said(status_table(view(trial)))


def test_the_best_of_an_objective_that_is_minimised() -> None:
    trials = {0: replace_value(row(0, [0.5]), 0.5), 1: replace_value(row(1, [0.9]), 0.9)}
    assert "best 0.5000 (trial 0)" in trial_line(1, trials, Goal(2), 1, "nll_majority")


def replace_value(trial: FrozenTrial, value: float) -> FrozenTrial:
    trial.value = value
    return trial


@pytest.mark.parametrize(
    ("trials", "here", "seconds"),
    [
        ([], 1, None),
        ([row(0, [0.5], "running")], 0, None),  # none has ended
        ([row(0, [0.5, 0.6])], 1, 4 * 20 + 6 * 10),
        ([row(0, [0.5, 0.6]), row(1, [0.3], "pruned")], 1, 3 * 15 + 60),
        (
            [row(0, [0.5, 0.6]), row(1, [0.3, 0.1], "running"), row(2, [], "running", times={})],
            0,
            4 * 40 / 2 + 60,
        ),
        ([row(0, [0.5, 0.6]), row(1, [0.3, 0.1], "running")], 1, 4 * 40 / 2 + 60),
        ([row(n, [0.5]) for n in range(7)], 1, 60),  # more than were asked for
    ],
)
def test_the_time_left_counts_all_workers_and_the_retraining(
    trials: list[FrozenTrial], here: int, seconds: float | None
) -> None:
    assert time_left(trials, Goal(5), 6, here=here) == (
        seconds if seconds is None else pytest.approx(seconds)
    )


def test_how_far_a_study_is() -> None:
    trials = [row(0, [0.5, 0.6]), row(1, [0.3], "running")]
    assert standing(trials, Goal(9), "accuracy") == (
        "1 of 9 trials are done, 1 run; best val_accuracy 0.6000 (trial 0)"
    )
    assert standing([], Goal(9), "accuracy") == "0 of 9 trials are done, 0 run"


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([row(0, [0.5]), row(1, [0.6, 0.4], "resting"), row(2, [0.9], "running"), row(3, [0.6])], 1),
        ([row(0, [0.5], "pruned"), row(1, [0.6], "running"), row(2, [], "running")], 1),
        ([row(0, [], "running")], None),
    ],
)
def test_the_best_so_far_is_the_one_that_a_retraining_would_take(
    trials: list[FrozenTrial], best: int | None, tmp_path: Path
) -> None:
    said = standing(trials, Goal(9), "accuracy")
    taken = best_trial([record_of(RunDirectory(tmp_path), one.number, one, one.params) for one in trials])
    assert (taken and taken.number) == best
    assert said.endswith(f"best val_accuracy 0.6000 (trial {best})" if best else "run")


def test_trials_that_rest_are_done_and_a_budget_is_told_in_full_trainings() -> None:
    trials = [
        row(0, [0.5, 0.6, 0.7]),
        row(1, [0.3], "resting"),
        row(2, [0.2], "resting"),
        row(3, [0.4], "running"),
    ]
    by_number = dict(enumerate(trials))
    assert trial_line(1, by_number, Goal(9), 1).startswith("trial   1 rests  3/9  ")
    budget = Goal(40, budget=4, epochs=3)
    assert trial_line(1, by_number, budget, 1).startswith("trial   1 rests  2.0/4  ")
    assert standing(trials, budget, "accuracy") == (
        "2.0 of 4 full trainings are spent on 4 trials, 1 run; best val_accuracy 0.7000 (trial 0)"
    )
    # 60 s for 2 full trainings, 2 more to come, one worker; then 6 epochs of 10 s.
    assert time_left(trials, budget, 6) == pytest.approx(60 + 60)
    # 60 s for 3 trials, 6 more to come.
    assert time_left(trials, Goal(9), 6) == pytest.approx(6 * 60 / 3 + 60)


def test_only_what_has_several_values_differs() -> None:
    assert varied([{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}, {"c": 4}]) == ["b"]


def view(*trials: TrialRecord) -> Any:
    return SimpleNamespace(
        name="faces",
        trials=list(trials),
        config={"arguments": {"trials": 9}},
        metrics=None,
        test_readings=[],
        finished=True,
    )


def record(number: int, score: float | None, **values: Any) -> TrialRecord:
    epochs = {} if score is None else {1: score}
    return TrialRecord(number, "complete", values, score, epochs, None, None, None, None, Path())


def numbers(shown: Any) -> list[int]:
    text = said(shown)
    rows = [line.split() for line in text.splitlines()]
    return [
        int(words[0]) for words in rows if len(words) > 1 and words[1] == "complete" and words[0].isdigit()
    ]


def said(shown: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    return console.file.getvalue()  # type: ignore[attr-defined]


TRIALS = (
    record(0, 0.5, learning_rate=1e-2, backbone="small"),
    record(1, 0.7, learning_rate=1e-4, backbone="small"),
    record(2, None, learning_rate=1e-3, backbone="small"),
    record(3, 0.6, backbone="dlib_face"),
)


@pytest.mark.parametrize(
    ("top", "sort", "shown"),
    [
        (None, None, [0, 1, 2, 3]),
        (2, None, [1, 3]),
        (None, "score", [1, 3, 0, 2]),
        (3, "learning_rate", [0, 2, 1]),
        (None, "backbone", [3, 0, 1, 2]),
        (1, "number", [0]),
    ],
)
def test_the_status_is_sorted_and_cut(top: int | None, sort: str | None, shown: list[int]) -> None:
    assert numbers(status_table(view(*TRIALS), top, sort)) == shown


@pytest.mark.parametrize(("sort", "shown"), [("rate", [2, 0, 1, 3]), ("rate@sgd", [2, 1, 0, 3])])
def test_a_hyperparameter_is_sorted_by_with_or_without_its_mark(sort: str, shown: list[int]) -> None:
    rates = [{"rate@adamw": 1e-3}, {"rate@sgd": 1e-4}, {"rate@sgd": 1e-2}, {}]
    trials = [record(number, 0.5, **values) for number, values in enumerate(rates)]
    assert numbers(status_table(view(*trials), sort=sort)) == shown


def test_the_status_fits_80_columns_and_shows_what_differs() -> None:
    many = [record(n, 0.5, **{f"hyperparameter_{i}": 0.1 * n for i in range(12)}, kept=3) for n in range(3)]
    text = said(status_table(view(*many)))
    assert max(map(len, text.splitlines())) <= 80 and "kept" not in text
    for i in range(12):
        assert f"hyperparameter_{i}=0.2" in "".join(text.split())
    with pytest.raises(InputError, match=r"--sort dropuot: expected one of score, number"):
        status_table(view(*many), sort="dropuot")


def test_status_is_shown_until_the_study_is_finished() -> None:
    looks = iter([("first look", False), ("second look", False), ("last look", True)])
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    watch(lambda: next(looks), console, every=0)
    assert all(look in console.file.getvalue() for look in ("first look", "second look", "last look"))  # type: ignore[attr-defined]


def test_the_first_lines_come_before_tensorflow(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["--runs-dir", str(tmp_path), "--data", "/nowhere"]
    assert run_search.main(["search", "--study", "faces", *arguments]) == 2
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == f"study faces in {tmp_path}/faces, report {tmp_path}/faces/report.html"
    assert second == "starting tensorflow ..."
    assert run_search.main(["search", "-q", *arguments]) == 2
    assert capsys.readouterr().out == ""
    announce(SayingOptions(quiet=True), RunDirectory(tmp_path))
    assert capsys.readouterr().out == ""


def test_what_is_said_quietly_is_in_the_log_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "search.log"
    options = SayingOptions(log_file=file, quiet=True)
    with logs(options), progress_of(options) as progress:
        announce(options, RunDirectory(tmp_path))
        progress.say("trials compute in float32")
    first, *_, last = file.read_text().splitlines()
    assert f" study {tmp_path.name} in {tmp_path}" in first and last.endswith(" trials compute in float32")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("own", "seen"), [(None, ("here:11", "there:22")), ("here:11:ab", ("there:22",))])
def test_workers_of_other_processes_are_a_table(
    own: str | None, seen: tuple[str, ...], tmp_path: Path
) -> None:
    store = open_study(open_storage(f"sqlite:///{tmp_path}/study.db"), "faces")
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with Progress(console) as progress:
        followed = StudyProgress(store.study, Goal(5, epochs=3), progress, RunDirectory(tmp_path), own)
        for worker in ("here:11:ab", "there:22:cd"):
            claim = store.claim(store.get(store.create(State.QUEUED, {}, {}).number), worker)
            assert claim is not None
            store.report(claim, 1, 0.5)
        followed.update()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("last heard of", *seen, "1/3", "s ago"):
        assert words in shown
    assert ("here:11" in shown) == ("here:11" in seen)
