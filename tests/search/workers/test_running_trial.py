"""What is recorded of a trial over all processes that ran it."""

from __future__ import annotations

from typing import Any

from search.workers.running_trial import RunningTrial


def test_seconds_of_earlier_attempts_are_added() -> None:
    trial: Any = None
    record = {
        "times": {"training": 5.0, "cache": 1.0},
        "prefix_cache": {"used": True, "reason": "", "seconds_saved": 2.5},
        "seconds_per_epoch": 3.0,
    }
    running = RunningTrial(trial, 0, epochs=9, known=1, rows=10, record=record)
    assert running.in_all() == record
    running.earlier = {
        "times": {"training": 10.0, "build": 4.0},
        "prefix_cache": {"used": False, "reason": "nothing is frozen", "seconds_saved": -0.5},
        "seconds_per_epoch": 8.0,
    }
    assert running.in_all() == {
        "times": {"training": 15.0, "cache": 1.0, "build": 4.0},
        "prefix_cache": {"used": True, "reason": "", "seconds_saved": 2.0},
        "seconds_per_epoch": 3.0,
    }
    assert record["times"]["training"] == 5.0
