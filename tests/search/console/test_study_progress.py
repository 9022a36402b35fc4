"""What is told of trials that other processes run: it is read from the study."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from models.metrics.objectives import OBJECTIVES
from models.training.history import Epoch, write_history
from search.callbacks import SearchCallback
from search.console.progress import Progress
from search.console.study_progress import StudyProgress
from search.console.trial_lines import Goal
from search.storages.registry import open_storage, open_study
from search.storages.trial_life import State
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord


class Notes(SearchCallback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def on_trial_begin(self, trial: TrialRecord) -> None:
        self.told.append(("begin", trial.number, trial.hyperparameters))

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        self.told.append(("epoch", trial.number, epoch, dict(logs)))

    def on_trial_end(self, trial: TrialRecord) -> None:
        self.told.append(("end", trial.number, trial.state, trial.score))

    def since(self) -> list[tuple[Any, ...]]:
        told, self.told = self.told, []
        return told


def test_callbacks_are_told_of_the_trials_of_other_processes(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    store = open_study(
        open_storage(f"sqlite:///{tmp_path}/study.db"),
        "faces",
        direction="minimize",
        metric="val_nll_majority",
    )
    notes = Notes()
    followed = StudyProgress(store.study, Goal(5, epochs=3), Progress(Console(quiet=True), [notes]), run)
    followed.update()
    assert notes.since() == []

    waiting = store.create(State.QUEUED, {}, {})
    claim = store.claim(store.get(waiting.number), "elsewhere")
    assert claim is not None
    store.report(claim, 1, 1.5)
    followed.update()
    assert notes.since() == [("begin", 0, {}), ("epoch", 0, 1, {"val_nll_majority": 1.5})]

    run.trial(0).mkdir(parents=True)
    metrics = dict.fromkeys(OBJECTIVES, 0.25)
    epochs = [Epoch(n, 0.5, 0.75, 0.25, 1e-3, 9.0, metrics) for n in (1, 2)]
    write_history(run.trial(0) / "history.csv", epochs)
    store.report(claim, 2, 0.25)
    store.leave(claim, State.RESTING)
    followed.update()
    followed.update()
    assert notes.since() == [("epoch", 0, 2, epochs[1].row()), ("end", 0, "resting", 0.25)]

    # Begun and ended between two looks, by another worker.
    again = store.claim(store.get(0), "third")
    assert again is not None
    store.report(again, 3, 0.125)
    store.leave(again, State.COMPLETE, value=0.125)
    followed.update()
    assert notes.since() == [
        ("begin", 0, {}),
        ("epoch", 0, 3, {"val_nll_majority": 0.125}),
        ("end", 0, "complete", 0.125),
    ]


def test_a_process_with_trials_of_its_own_tells_of_those_of_the_others_alone(tmp_path: Path) -> None:
    here, there, notes, said = "here:1:a", "there:2:b", Notes(), io.StringIO()
    store = open_study(open_storage(f"sqlite:///{tmp_path}/study.db"), "faces")
    progress = Progress(Console(file=said, width=200), [notes])
    followed = StudyProgress(store.study, Goal(5, epochs=4), progress, RunDirectory(tmp_path), own=here)
    store.create(State.QUEUED, {}, {})
    mine = store.claim(store.get(0), here)
    assert mine is not None
    store.report(mine, 1, 0.5)
    followed.update()
    store.leave(mine, State.RESTING)
    assert notes.since() == [] and said.getvalue() == ""

    # Promoted by another, before this process has looked.
    theirs = store.claim(store.get(0), there)
    assert theirs is not None
    store.report(theirs, 2, 0.625)
    followed.update()
    assert notes.since() == [("begin", 0, {}), ("epoch", 0, 2, {"val_accuracy": 0.625})]
    assert said.getvalue() == "  trial 0 epoch 2/4: val_accuracy 0.6250\n"

    # Taken over from it, before this process has looked.
    store.leave(theirs, State.RELEASED)
    again = store.claim(store.get(0), here)
    assert again is not None
    followed.update()
    assert notes.since() == [("end", 0, "released", 0.625)]
    store.report(again, 3, 0.75)
    store.leave(again, State.COMPLETE, value=0.75)

    other = store.create(State.RUNNING, {}, {}, worker=there)
    store.report(other, 1, 0.25)
    store.leave(other, State.PRUNED)
    followed.update()
    followed.update()
    assert [told[:2] for told in notes.since()] == [("begin", 1), ("epoch", 1), ("end", 1)]
    lines = [line for line in said.getvalue().splitlines() if line.startswith("trial ")]
    assert len(lines) == 1 and lines[0].startswith("trial   1 pruned 2/5")


def test_a_line_tells_of_every_time_a_trial_is_left(tmp_path: Path) -> None:
    said = io.StringIO()
    store = open_study(open_storage(f"sqlite:///{tmp_path}/study.db"), "faces")
    progress = Progress(Console(file=said, width=200))
    followed = StudyProgress(store.study, Goal(5, epochs=3), progress, RunDirectory(tmp_path))
    claim = store.create(State.RUNNING, {}, {}, worker="one")
    store.report(claim, 1, 0.5)
    store.leave(claim, State.RESTING)
    followed.update()
    followed.update()
    again = store.claim(store.get(0), "two")
    assert again is not None
    for epoch in (2, 3):
        store.report(again, epoch, 0.25 * epoch)
    store.leave(again, State.COMPLETE, value=0.75)
    followed.update()
    followed.update()
    lines = [line for line in said.getvalue().splitlines() if line.startswith("trial ")]
    assert [line.split("  val_")[0] for line in lines] == ["trial   0 rests  1/5", "trial   0 done   1/5"]
