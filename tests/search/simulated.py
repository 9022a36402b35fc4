"""run_search.py with trials that sleep instead of training, and no retraining: `python simulated.py search --workers 3 ...`.

Everything else is real: the oracle, the storage, the checkpoints' files, the workers' processes. The environment says how long:
    SIMULATED_EPOCH   seconds of an epoch
Each epoch that is done leaves a line "EPOCH PID" in the trial's executed.txt.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if sys.argv[1:2] == ["worker"]:
    # Keras loads them for its wrappers and plots: half of the start of a worker, which needs neither.
    sys.modules.update(dict.fromkeys(("sklearn", "matplotlib")))  # type: ignore[arg-type]

import numpy as np  # noqa: E402

import run_search  # noqa: E402
from models.device.setup import prepare_device  # noqa: E402

STEPS = 10


@functools.cache
def _model() -> Any:
    """A network of two weights."""
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def train(recipe: Any, dataset: Any, *, directory: Path, epochs: int, listener: Any, **_: Any) -> None:
    from models.training.checkpoints import Checkpoints
    from models.training.history import Epoch

    seconds = float(os.environ.get("SIMULATED_EPOCH", "1"))
    checkpoints = Checkpoints(directory, {"recipe": str(recipe)})
    model = _model()
    done = checkpoints.restore(model)
    if any([listener.on_epoch(epoch) for epoch in checkpoints.history]):
        return
    for number in range(done + 1, epochs + 1):
        for step in range(STEPS):
            time.sleep(seconds / STEPS)
            listener.on_batch(number, step + 1, STEPS)
        accuracy = 0.5 + 0.3 * recipe.dropout + 0.01 * number
        loss = 2.0 - accuracy
        epoch = Epoch(
            number,
            1.0,
            accuracy,
            loss,
            recipe.learning_rate,
            seconds,
            metrics={
                "accuracy": accuracy,
                "macro_f1": 1.0 - accuracy,  # another order of the trials
                "balanced_accuracy": accuracy,
                "nll_majority": loss,
                "nll_votes": loss,
            },
        )
        checkpoints.save(model, epoch, dataset.val, np.full((len(dataset.val), 8), 0.125, np.float32))
        with (directory / "executed.txt").open("a") as file:
            file.write(f"{number} {os.getpid()}\n")
        if listener.on_epoch(epoch):
            return


def install() -> None:
    """Put the simulation in the place of training and retraining in this process and in the workers that it places."""
    import search.commands.search as command
    import search.launch as launch
    import search.workers.engines.team as team
    import search.workers.trial_runner as tuner

    def reports() -> Any:
        found = run_search.reports()
        setattr(found, "write", lambda *_: None)  # noqa: B010
        return found

    for name in ("search", "retrain"):
        run_search.COMMANDS[name] = replace(run_search.COMMANDS[name], given=reports)
    setattr(tuner, "train", train)  # noqa: B010
    setattr(team, "PROGRAM", Path(__file__).resolve())  # noqa: B010
    setattr(launch, "retrain_best", lambda *_, because, **__: {"because": because})  # noqa: B010
    setattr(  # noqa: B010
        command, "report_result", lambda *given: print("retrained:", given[-1]["because"], flush=True)
    )


def without_training(patch: pytest.MonkeyPatch) -> None:
    """Have searches in this process simulate their trials, which take no time, and neither retrain nor report."""
    import search.commands.search as command
    import search.launch as launch
    import search.workers.trial_runner as tuner
    from reports.reporting import StudyReports

    patch.setenv("SIMULATED_EPOCH", "0")
    patch.setattr(tuner, "train", train)
    patch.setattr(launch, "retrain_best", lambda *_, **__: {})
    patch.setattr(StudyReports, "write", lambda *_: None)
    patch.setattr(command, "report_result", lambda *_: None)


if __name__ == "__main__":
    prepare_device()
    install()
    sys.exit(run_search.main(sys.argv[1:]))
