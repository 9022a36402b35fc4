"""Passwords in storage URLs stay out of every report."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from search.study.view import StudyView

_URL_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
_QUERY_PASSWORD = re.compile(r"([?&]password=)[^&\s]+", re.IGNORECASE)


def redact(value: Any) -> Any:
    """`value`, at any depth, with *** for the password in `scheme://user:password@host` and `?password=`."""
    if isinstance(value, str):
        return _QUERY_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", value))
    if isinstance(value, dict):
        return {key: redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def without_passwords(view: StudyView) -> StudyView:
    """The study with `redact` applied to everything in it that a report prints."""
    trials = [
        replace(trial, hyperparameters=redact(trial.hyperparameters), error=redact(trial.error))
        for trial in view.trials
    ]
    return replace(view, config=redact(view.config), trials=trials, metrics=redact(view.metrics))
