"""Weights & Biases: a run a trial, in a group that is the study, and one for the retrained model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search.callbacks import Search, SearchCallback
from search.tracking.packages import require

if TYPE_CHECKING:
    from search.study.view import TrialRecord


class WandbTracker(SearchCallback):
    """Records in `project`, as wandb's own settings and variables say where."""

    def __init__(self, project: str) -> None:
        require("wandb", "--wandb", "wandb")
        self._project = project
        self._runs: dict[int, Any] = {}

    def on_search_begin(self, search: Search) -> None:
        self._search = search
        place = str(search.directory.resolve()).encode()
        self._mark = f"{search.study}-{hashlib.sha256(place).hexdigest()[:8]}"

    def on_trial_begin(self, trial: TrialRecord) -> None:
        self._runs[trial.number] = self._begin(
            f"trial {trial.number}", str(trial.number), dict(trial.hyperparameters)
        )

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        self._runs[trial.number].log(dict(logs), step=epoch)

    def on_trial_end(self, trial: TrialRecord) -> None:
        run = self._runs.pop(trial.number)
        run.summary["state"] = trial.state
        run.finish(exit_code=int(trial.state == "failed"))

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        for run in self._runs.values():
            run.finish(exit_code=1)
        self._runs.clear()
        if metrics is None:
            return
        run = self._begin("best", "best", dict(metrics["hyperparameters"]))
        for name in ("val_accuracy", "test_accuracy", "trial"):
            run.summary[name] = metrics.get(name)
        model = self._search.directory / "best" / "model.keras"
        run.log_artifact(str(model), name=f"{self._search.study}-best", type="model")
        run.finish()

    def _begin(self, name: str, part: str, values: dict[str, Any]) -> Any:
        import wandb

        return wandb.init(
            project=self._project,
            group=self._search.study,
            name=name,
            id=f"{self._mark}-{part}",
            resume="allow",
            reinit="create_new",
            config=values,
        )
