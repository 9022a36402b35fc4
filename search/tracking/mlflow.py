"""MLflow: an experiment a study, a run a trial; the run of the best trial gets the retrained model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.callbacks import Search, SearchCallback
from search.tracking.packages import require

if TYPE_CHECKING:
    from search.study.view import TrialRecord

_STATUS = {
    "complete": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "resting": "SCHEDULED",
    "released": "SCHEDULED",
}


class MLflowTracker(SearchCallback):
    """Records in the tracking server, database or folder at `uri`, such as http://HOST:5000, sqlite:///mlflow.db or mlruns."""

    def __init__(self, uri: str) -> None:
        require("mlflow", "--mlflow", "-r requirements-tracking.txt")
        self._uri = uri
        self._runs: dict[int, str] = {}

    def on_search_begin(self, search: Search) -> None:
        if "://" not in self._uri or self._uri.startswith("file:"):
            # A folder has to be allowed since MLflow 3.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        self._client, self._search = MlflowClient(tracking_uri=self._uri), search
        known = self._client.get_experiment_by_name(search.study)
        self._experiment = known.experiment_id if known else self._client.create_experiment(search.study)

    def on_trial_begin(self, trial: TrialRecord) -> None:
        run = self._runs[trial.number] = self._run_of(trial.number)
        self._client.update_run(run, status="RUNNING")
        for name, value in trial.hyperparameters.items():
            self._client.log_param(run, name, value)  # the same value again changes nothing

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        for name, value in logs.items():
            if name != "epoch":
                self._client.log_metric(self._runs[trial.number], name, value, step=epoch)

    def on_trial_end(self, trial: TrialRecord) -> None:
        run = self._runs.pop(trial.number)
        self._client.set_tag(run, "state", trial.state)
        if trial.error:
            self._client.set_tag(run, "error", trial.error)
        status = _STATUS.get(trial.state, "FINISHED")
        if status == "SCHEDULED":
            self._client.update_run(run, status=status)
        else:
            self._client.set_terminated(run, status)

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")
        self._runs.clear()
        if metrics is None:
            return
        run = self._run_of(metrics["trial"])
        self._client.set_tag(run, "best", "true")
        for split in ("val", "test"):
            if metrics.get(f"{split}_accuracy") is not None:
                self._client.log_metric(run, f"retrained_{split}_accuracy", metrics[f"{split}_accuracy"])
        model: Path = self._search.directory / "best" / "model.keras"
        self._client.log_artifact(run, str(model))

    def _run_of(self, number: int) -> str:
        """The run of trial `number`, which an earlier process may have begun."""
        tags = {"study_folder": str(self._search.directory.resolve()), "trial": str(number)}
        wanted = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        found = self._client.search_runs([self._experiment], filter_string=wanted)
        if found:
            return found[0].info.run_id
        return self._client.create_run(self._experiment, run_name=f"trial {number}", tags=tags).info.run_id
