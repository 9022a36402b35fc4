"""Passwords in storage URLs stay out of every report."""

from __future__ import annotations

from dataclasses import replace

from search.storages.redaction import redact
from search.study.view import StudyView


def without_passwords(view: StudyView) -> StudyView:
    """The study with `redact` applied to everything in it that a report prints."""
    trials = [
        replace(trial, hyperparameters=redact(trial.hyperparameters), error=redact(trial.error))
        for trial in view.trials
    ]
    return replace(view, config=redact(view.config), trials=trials, metrics=redact(view.metrics))
