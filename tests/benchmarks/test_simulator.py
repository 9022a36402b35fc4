"""The simulator of search methods: its figures on tasks that can be worked out by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine.trial import TrialStatus

from benchmarks.oracles import Log, main
from benchmarks.simulator.scores import difference, interval, regret, regrets
from benchmarks.simulator.study import run_study
from benchmarks.simulator.tasks import Range, Task, task_loaders
from benchmarks.simulator.tellings import TELLINGS, tell

# Three trainings of four epochs: x = 0 is fast and poor, x = 1 slow and best, x = 2 diverges.
CURVES = np.array([[0.5, 0.5, 0.5, 0.5], [0.1, 0.4, 0.6, 0.9], [0.2, np.nan, np.nan, np.nan]])


def task(epochs: int = 4) -> Task:
    return Task(
        "tiny",
        epochs,
        lambda rows: CURVES[[int(row[0]) for row in rows]],
        best=0.9,
        median=0.5,
        ranges=[Range("x", 0, 2, integer=True)],
    )


class Scripted:
    """An oracle that hands out the trials of a list and stops one at the epoch the list says."""

    def __init__(self, trials: list[tuple[int, int]]) -> None:
        self._queue = list(enumerate(trials))
        self._stops: dict[str, int] = {}
        self.reports: list[tuple[str, int, float]] = []
        self.ended: list[str] = []

    def create_trial(self, worker: str) -> Any:
        if not self._queue:
            return SimpleNamespace(status=TrialStatus.STOPPED)
        number, (x, stop) = self._queue.pop(0)
        self._stops[str(number)] = stop
        hp = SimpleNamespace(values={"x": x})
        return SimpleNamespace(status=TrialStatus.RUNNING, trial_id=str(number), hyperparameters=hp)

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int) -> Any:
        self.reports.append((trial_id, step, metrics["val_accuracy"]))
        return SimpleNamespace(
            status=TrialStatus.STOPPED if step == self._stops[trial_id] else TrialStatus.RUNNING
        )

    def end_trial(self, trial: Any) -> None:
        self.ended.append(trial.trial_id)


def test_every_epoch_is_paid_for_and_the_best_epoch_so_far_says_what_is_retrained() -> None:
    oracle = Scripted([(0, 1), (1, 4), (2, 4)])
    retrained = run_study(oracle, tell(task(), "plain"), workers=1, budget=2)
    # One epoch of x=0, four of x=1 (which leads from its third on), three of x=2: 8 epochs are two full trainings.
    assert retrained.tolist() == [0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9]
    assert oracle.reports == [
        *[("0", 1, 0.5)],
        *[("1", 1, 0.1), ("1", 2, 0.4), ("1", 3, 0.6), ("1", 4, 0.9)],
        *[("2", 1, 0.2), ("2", 2, 0.0), ("2", 3, 0.0)],
    ]
    assert oracle.ended == ["0", "1"]


def test_two_workers_train_at_the_same_time_and_share_the_budget() -> None:
    oracle = Scripted([(0, 2), (1, 3), (2, 1), (0, 4)])
    retrained = run_study(oracle, tell(task(), "plain"), workers=2, budget=2)
    assert [(trial, step) for trial, step, _ in oracle.reports] == [
        *[("0", 1), ("1", 1)],  # time 1
        *[("0", 2), ("1", 2)],
        *[("2", 1), ("1", 3)],  # worker 0 has taken the third trial, worker 1 ends the second
        *[("3", 1), ("3", 2)],  # there was no further one for worker 1
    ]
    assert oracle.ended == ["0", "2", "1"]
    # What is retrained changes when a report does it, not when a trial begins: x = 1 leads from its third epoch on.
    assert retrained.tolist() == [0.5, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9]


def test_a_study_that_ends_early_keeps_what_it_has() -> None:
    retrained = run_study(Scripted([(0, 4)]), tell(task(), "plain"), workers=3, budget=50)
    assert len(retrained) == 4
    found = regrets(retrained, [0.5, 1, 50], epochs=4, best=0.9, median=0.5)
    assert found == pytest.approx([1.0, 1.0, 1.0])


def test_regret_is_0_at_the_best_and_1_at_the_median() -> None:
    assert [regret(x, best=0.9, median=0.5) for x in (0.9, 0.7, 0.5, 0.3)] == pytest.approx([0, 0.5, 1, 1.5])
    retrained = np.array([0.5, 0.5, 0.7, 0.9])
    assert regrets(retrained, [0.5, 0.75, 1], epochs=4, best=0.9, median=0.5) == pytest.approx([1, 0.5, 0])


def test_intervals_are_over_tasks_and_seeds_and_differences_are_paired() -> None:
    rng = np.random.default_rng(1)
    hard = {f"task{i}": rng.normal(0.4, 0.2) for i in range(40)}
    theirs = {(t, s): level + rng.normal(0, 0.02) for t, level in hard.items() for s in range(2)}
    ours = {key: value - 0.05 + rng.normal(0, 0.02) for key, value in theirs.items()}
    of_one = interval(ours)
    assert of_one.n == 80 and of_one.mean == pytest.approx(np.mean(list(ours.values())))
    # The mean of 40 tasks: 1.96 standard errors each way, and far less once the tasks' own level is taken away.
    error = np.std(list(hard.values())) / np.sqrt(40)
    assert of_one.hi - of_one.lo == pytest.approx(2 * 1.96 * error, rel=0.15)
    apart = difference(ours, theirs)
    assert apart.lo < -0.05 < apart.hi < 0 and apart.hi - apart.lo < 0.02


RANGES = [
    Range("rate", 1e-4, 1.0, log=True),
    Range("units", 16, 256, log=True, integer=True),
    Range("momentum", 0.0, 1.0),
    Range("layers", 1, 5, integer=True),
]


@pytest.mark.parametrize("telling", TELLINGS)
def test_a_telling_declares_the_same_hyperparameters_and_finds_its_curve(telling: str) -> None:
    asked = []

    def curves(rows: Any) -> np.ndarray:
        asked.extend(rows)
        return np.zeros((1, 4))

    told = tell(Task("four", 4, curves, 1.0, 0.0, RANGES), telling)
    hp = keras_tuner.HyperParameters()
    told.declare(hp)
    values = {name: value for name, value in hp.values.items()}
    told.curve(values)
    for one, value in zip(RANGES, asked[0], strict=True):
        assert one.low <= value <= one.high
        assert value == next(v for name, v in values.items() if name.partition("@")[0] == one.name)
    names = {one.name for one in hp.space}
    expected = {
        "plain": {"rate", "units", "momentum", "layers"},
        "conditional": {
            *("optimizer", "rate@first", "units@first", "momentum@first"),
            *("rate@second", "units@second", "momentum@second", "layers"),
        },
        "choices": {"rate", "units", "momentum", "layers"},
        "idle": {"rate", "units", "momentum", "layers", *(f"idle_{i}" for i in range(1, 9))},
    }
    assert names == expected[telling]
    declared = {one.name: one for one in hp.space}
    if telling == "conditional":
        halves = declared["rate@first"], declared["rate@second"]
        assert [(half.min_value, half.max_value) for half in halves] == [
            (pytest.approx(1e-4), pytest.approx(1e-2)),
            (pytest.approx(1e-2), pytest.approx(1.0)),
        ]
        assert (declared["units@second"].min_value, declared["units@second"].max_value) == (16, 256)
    if telling == "choices":
        assert declared["rate"].values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
        assert declared["units"].values == [16, 32, 64, 128, 256] and declared["units"].ordered
        assert declared["layers"].values == [1, 2, 3, 4, 5]


def test_a_table_answers_with_the_nearest_recorded_training(tmp_path: Path) -> None:
    (tmp_path / "taskset").mkdir()
    rng = np.random.default_rng(3)
    values = 10 ** rng.uniform(-4, 0, (30, 8))
    losses = rng.uniform(0.1, 2, (30, 51))
    losses[5] = np.nan
    np.savez(tmp_path / "taskset" / "taskset-7.npz", H=values, V=losses)
    found = task_loaders(["taskset-7"], tmp_path)["taskset-7"]()
    curves = found.curves(values[[4, 5]] * 1.0001)
    # Every second evaluation, the last among them.
    assert curves.shape == (2, 26) and curves[0, -1] == pytest.approx(np.exp(-losses[4, 50]))
    assert curves[0, 0] == pytest.approx(np.exp(-losses[4, 1])) and not curves[1].any()
    assert found.best == pytest.approx(np.exp(-np.delete(losses, 5, 0)[:, 1::2].min()), rel=0.05)


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One table on which the rate decides: the score's peak is at a rate of 1e-2."""
    folder = tmp_path_factory.mktemp("curves")
    (folder / "taskset").mkdir()
    rng = np.random.default_rng(5)
    values = 10 ** rng.uniform(-4, 0, (400, 8))
    final = 0.2 + 0.5 * (np.log10(values[:, :1]) + 2) ** 2
    np.savez(folder / "taskset" / "taskset-9.npz", H=values, V=final + 2 / np.arange(1, 52))
    return folder


def test_the_command_compares_methods_and_goes_on_from_its_log(
    curves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, table, picture = tmp_path / "log.jsonl", tmp_path / "table.csv", tmp_path / "picture.svg"
    given = ["--curves", str(curves), "--tasks", "taskset-9", "--budgets", "1,4", "--seeds", "2"]
    given += ["--log", str(log), "--json", "--csv", str(table), "--picture", str(picture)]
    assert main([*given, "--methods", "random,random+halving"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"random", "random+halving"} and set(found["random"]) == {"1", "4"}
    assert set(found["random"]["4"]) == {"mean", "lo", "hi", "n"} and found["random"]["4"]["n"] == 2
    for of in found.values():
        assert of["1"]["mean"] >= of["4"]["mean"] >= 0
    assert len(table.read_text().splitlines()) == 5 and "<svg" in picture.read_text()
    # What was run is taken from the log: a value changed there comes out.
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 4
    log.write_text("".join(json.dumps([key, {"1": 0.75, "4": 0.25}]) + "\n" for key, _ in lines))
    main([*given, "--methods", "random"])
    again = json.loads(capsys.readouterr().out)
    assert again["random"]["4"] == {"mean": 0.25, "lo": 0.25, "hi": 0.25, "n": 2}


def test_what_was_run_with_a_larger_budget_is_another_study(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.add(["default", "task"], [1.0, 50.0], [0.5, 0.1])
    known = Log(tmp_path / "log.jsonl")
    assert known.get(["default", "task"], [1.0, 50.0]) == [0.5, 0.1]
    assert known.get(["default", "task"], [50.0]) == [0.1]
    assert known.get(["default", "task"], [1.0]) is None


def test_no_tensorflow_is_loaded(curves: Path) -> None:
    program = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: print(end.code, 'tensorflow' in sys.modules)"
    )
    given = [
        "benchmarks/oracles.py",
        "--curves",
        str(curves),
        "--methods",
        "default",
        "--budgets",
        "2",
        "--json",
    ]
    command = [sys.executable, "-c", program, *given]
    # With the requirements of the benchmarks, which tests/as_installed hides.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True
    )
    assert done.stdout.endswith("0 False\n"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--curves", "/nowhere"], "/nowhere"),
        (
            ["--curves", str(Path(__file__).parent)],
            "expected lcbench/model.onnx or taskset/taskset-N.npz in it",
        ),
        (["--curves", "CURVES", "--tasks", "taskset-1"], "taskset-9"),
        (["--curves", "CURVES", "--methods", "best+halving"], "best+halving"),
        (["--curves", "CURVES", "--budgets", "5,-1"], "5,-1"),
        (["--curves", "CURVES", "--seeds", "0"], "0"),
        (["--record", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_input_is_named_in_one_line(
    arguments: list[str], said: str, curves: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main([str(curves) if one == "CURVES" else one for one in arguments])
    except SystemExit as stopped:
        code = stopped.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2 and said in line
