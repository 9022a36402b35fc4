"""A trial under way, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_tuner.engine.trial import Trial

from models.training.history import Epoch


@dataclass
class RunningTrial:
    """A trial that this process runs.

    Attributes:
        trial: As Keras Tuner knows it.
        number: In the study.
        epochs: Most of it.
        known: Its last epoch that was reported before it came here.
        rows: That each of its epochs trains on.
        earlier: What was recorded of it before it came here.
        record: What is recorded of it here.
        seconds: Of its epochs here, so far.
    """

    trial: Trial
    number: int
    epochs: int
    known: int
    rows: int
    earlier: Mapping[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def in_all(self) -> dict[str, Any]:
        """Return what is recorded of it, here and before: seconds are added up."""
        found = {**self.record, "times": _sums(self.earlier.get("times", {}), self.record.get("times", {}))}
        cache, before = found.get("prefix_cache"), self.earlier.get("prefix_cache")
        if cache and before:
            saved = cache["seconds_saved"] + before["seconds_saved"]
            found["prefix_cache"] = {**cache, "seconds_saved": saved}
        return found

    def is_late(self, epoch: Epoch, allowed: float | None) -> bool:
        """Count the seconds of `epoch`, which has ended; return whether the trial has had those it is `allowed`, which is then
        recorded."""
        self.seconds += epoch.seconds
        if allowed is None or self.seconds <= allowed or epoch.epoch >= self.epochs:
            return False
        self.record["ended_early"] = (
            f"{self.seconds:.0f} s after epoch {epoch.epoch} of {self.epochs}, allowed were {allowed:g}"
        )
        return True


def _sums(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in (*one, *other)}
