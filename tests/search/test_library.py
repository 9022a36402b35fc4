"""The front door for Python: tune and Study, callbacks, and the examples of the documentation."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import run_search
from ferplus_data.dataset import load_dataset
from ferplus_data.errors import InputError
from search import SearchCallback, Study, launch, library, tune
from search.oracles.space.space_file import write_space
from search.study.space import load_space
from search.study.view import TrialRecord
from spaces import SPACES

ROOT = Path(run_search.__file__).parent
TINY: dict[str, Any] = {"data": "demo", "subset": 0.1, "epochs": 2, "finalists": 0, "quiet": True}


class Diary(SearchCallback):
    """Writes down what it is told."""

    def __init__(self, fail_in: int | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._fail_in = fail_in

    def on_search_begin(self, search: Any) -> None:
        self.told.append(("search", search.study, search.arguments["epochs"]))

    def on_trial_begin(self, trial: TrialRecord) -> None:
        self.told.append(("begin", trial.number, trial.state))

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        if trial.number == self._fail_in:
            raise RuntimeError("no more paper")
        self.told.append(("epoch", trial.number, epoch, logs["val_accuracy"]))

    def on_trial_end(self, trial: TrialRecord) -> None:
        self.told.append(("end", trial.number, trial.state, trial.score))

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        self.told.append(("over", metrics and metrics["val_accuracy"], error and type(error).__name__))


class Counted(keras.callbacks.Callback):
    """Leaves a line for each of its epochs, and stops a training that it has seen two of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.seen = path, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self.seen += 1
        with self.path.open("a") as file:
            file.write(f"{self.seen} {epoch} {logs['val_accuracy']} {logs['val_loss'] > 0}\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    before, there = Path.cwd(), tmp_path_factory.mktemp("library")
    os.chdir(there)
    yield there
    os.chdir(before)


@pytest.fixture(scope="module")
def told(place: Path) -> tuple[Study, Diary]:
    diary = Diary()
    callbacks = [diary, Counted(place / "counted.txt")]
    return tune(**TINY, trials=2, pruner="none", study="first", callbacks=callbacks), diary


def test_importing_the_front_door_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom search import tune, Study, SearchCallback\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'optuna', 'pandas', 'plotly', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_search_callback_is_told_of_every_trial_and_epoch_in_order(told: tuple[Study, Diary]) -> None:
    study, diary = told
    expected: list[tuple[Any, ...]] = [("search", "first", 2)]
    for trial in study.view.trials:
        expected.append(("begin", trial.number, "running"))
        expected += [("epoch", trial.number, n, pytest.approx(v)) for n, v in sorted(trial.values.items())]
        expected.append(("end", trial.number, "complete", max(trial.values.values())))
    assert study.metrics is not None
    assert diary.told == [*expected, ("over", study.metrics["val_accuracy"], None)]


def test_each_trial_has_a_keras_callback_of_its_own(told: tuple[Study, Diary], place: Path) -> None:
    lines = [line.split() for line in (place / "counted.txt").read_text().splitlines()]
    values = [str(v) for trial in told[0].view.trials for _, v in sorted(trial.values.items())]
    assert [line[:2] for line in lines] == [["1", "0"], ["2", "1"]] * 2
    assert [line[2:] for line in lines] == [[value, "True"] for value in values]


def test_the_best_models_are_those_of_their_best_epochs(told: tuple[Study, Diary]) -> None:
    study, _ = told
    dataset = load_dataset("demo", subset=0.1)
    for trial, model in zip(study.get_best_trials(2), study.get_best_models(2), strict=True):
        kept = np.load(trial.directory / "validation.npz")
        said = model.predict(dataset.val.pixels(), verbose=0)
        np.testing.assert_allclose(said, kept["probabilities"], atol=2e-3)
        assert (said.argmax(1) == kept["labels"]).mean() == pytest.approx(trial.score, abs=0.02)


def test_the_best_hyperparameters_are_the_best_trials(told: tuple[Study, Diary]) -> None:
    study, _ = told
    scores = [trial.score for trial in study.get_best_trials(5)]
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)
    for trial, hp in zip(study.get_best_trials(2), study.get_best_hyperparameters(2), strict=True):
        assert hp.values == trial.hyperparameters and {one.name for one in hp.space} >= set(hp.values)


def test_the_table_report_and_predictions(
    told: tuple[Study, Diary], place: Path, capsys: pytest.CaptureFixture
) -> None:
    study, _ = told
    frame = study.trials_dataframe()
    assert list(frame["number"]) == [0, 1] and list(frame["backbone"]) == ["small_vgg", "small_vgg"]
    study.results_summary(num_trials=1)
    said = capsys.readouterr().out
    assert "2 of 2 trials" in said and said.count("complete") == 2  # in the counts, and the row of the best
    report = study.report()
    assert "srcdoc" in report._repr_html_() and Path(report) == study.run.path / "report.html"
    assert study.figures["learning_curves"] is not None and study.figures["contour"] is None
    Image.fromarray(np.full((48, 48), 90, np.uint8)).save("face.png")
    (one,) = study.predict("face.png")
    direct = study.model.predict(np.full((1, 48, 48, 1), 90, np.uint8), verbose=0)[0]
    assert list(one.probabilities.values()) == pytest.approx(direct.tolist(), abs=1e-5)


def test_what_a_callback_raises_ends_the_search_and_the_same_call_continues(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "retrain_best", lambda *_, **__: {})
    diary = Diary(fail_in=1)
    with pytest.raises(Exception, match="no more paper"):
        tune(**TINY, trials=2, pruner="none", study="again", callbacks=[diary], log_file="again.log")
    assert "ended: FatalRuntimeError: " in (place / "again.log").read_text()
    assert diary.told[-1] == ("over", None, "FatalRuntimeError")
    (place / "mine.py").write_text(
        "import keras\n\ndef make():\n    return [keras.callbacks.CSVLogger('logged.csv', append=True)]\n"
    )
    study = tune(**TINY, trials=2, pruner="none", study="again", callbacks="mine.py:make")
    assert [trial.state for trial in study.view.trials] == ["complete", "complete"]
    # The file's callback has seen what the second call trained: the second epoch of trial 1, whose first was kept.
    assert [line.split(",")[0] for line in (place / "logged.csv").read_text().splitlines()] == ["epoch", "1"]


@pytest.mark.parametrize(
    ("callbacks", "options", "said"),
    [
        ([3], {}, "expected Keras callbacks or SearchCallbacks, found 3"),
        ([SearchCallback], {}, "expected Keras callbacks or SearchCallbacks"),
        ([keras.callbacks.Callback()], {"workers": 2}, "processes of their own"),
        ("nothing.py:make", {}, "nothing.py"),
    ],
)
def test_what_cannot_be_a_callback_is_told_before_any_work(
    callbacks: Any, options: dict[str, Any], said: str, place: Path
) -> None:
    with pytest.raises(InputError, match=said):
        tune(**TINY, **options, study="refused", callbacks=callbacks)
    assert not (place / "runs" / "refused").exists()


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_space_that_was_kept_declares_the_same(name: str, tmp_path: Path) -> None:
    from search.oracles.space.search_space import SpaceModel, declared

    path = write_space(SPACES[name], "kept", tmp_path)
    kept = load_space(str(path))
    for pins in ({}, {"lr_policy": "plateau"}):
        both = [declared(SpaceModel(space, pins)).get_config() for space in (SPACES[name], kept)]
        assert both[0] == both[1]
    assert kept.recipes == SPACES[name].recipes and kept.epochs == SPACES[name].epochs
    assert write_space(SPACES[name], "kept", tmp_path) == path and json.loads(path.read_text())


def test_a_study_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.*config\.json"):
        Study.open(tmp_path / "absent")


def test_the_examples_of_the_docstrings(told: tuple[Study, Diary], place: Path) -> None:
    modules = (library, library.tuning, library.study)
    examples = [test for module in modules for test in doctest.DocTestFinder().find(module) if test.examples]
    runner, names = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), {**vars(library)}
    Image.fromarray(np.full((48, 48), 90, np.uint8)).save("FACE.png")
    shutil.copytree(told[0].run.path, place / "copy" / "first")
    changing = [test for test in examples if test.name.endswith(("retrain", "enqueue"))]  # on a copy, last
    for test in [*(test for test in examples if test not in changing), *changing]:
        if test in changing:
            names["study"] = Study.open("copy/first")
        test.globs = names
        runner.run(test, clear_globs=False)
    assert runner.failures == 0 and runner.tries == 22


def blocks(page: str) -> str:
    """The Python in a page of the documentation, as one program."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL))


def test_the_examples_of_the_page(
    told: tuple[Study, Diary], place: Path, capsys: pytest.CaptureFixture
) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(blocks("library.md"), "library.md", "exec"), names)
    said = capsys.readouterr().out
    assert (
        "begins: 2" in said
        and "ended: 2" in said
        and "begins: 1" not in said
        and "validation accuracy 0." in said
    )
    assert 1e-3 <= names["tuner"].get_best_hyperparameters()[0].get("learning_rate") <= 1e-1
    assert len(names["store"].study.trials) == 2
    assert (place / "runs" / "spaces").is_dir()
