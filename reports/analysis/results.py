"""Accuracies of a study's model, each with the rows that it is of and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.metrics.intervals import wilson
from search.study.view import StudyView, best_trial

SPLITS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Result:
    """Accuracy (0 to 1) on `n` rows of a split with its 95% interval, by bootstrap over photographs where metrics.json has it,
    otherwise Wilson's; `rows` says which rows, `chosen` whether the model was chosen by its accuracy on them."""

    split: str
    rows: str
    accuracy: float
    n: int
    low: float
    high: float

    @property
    def chosen(self) -> bool:
        return self.split == SPLITS["val"]


def _result(split: str, rows: str, accuracy: Any, n: Any, interval: Any = None) -> Result | None:
    if accuracy is None or not n or n < 1 or not 0 <= accuracy <= 1:  # NaN too
        return None
    low, high = interval or wilson(accuracy, n)
    return Result(split, rows, accuracy, n, low, high)


ROWS = {
    "all rows": "",
    "new photographs": "_new_photographs",
    # What studies of before photographs were told apart have instead.
    "rows without byte-identical training images": "_without_twins",
}
"""Which rows an accuracy of metrics.json is on -> how its name ends."""


AT_FULL_MIX = "new photographs, weighted to the expressions' shares of all rows"


def further(view: StudyView) -> list[Result]:
    """Accuracies of the retrained model on the rows of the other rules, and with ties taken otherwise."""
    metrics = view.metrics or {}
    found = []
    for split, name in SPLITS.items():
        for rule, splits in (metrics.get("protocols") or {}).items():
            one = splits.get(split)
            if one is not None and rule != metrics.get("protocol"):
                found.append(_result(name, f"rows of {rule}", one["accuracy"], one["n"], one.get("interval")))
        ties, n = (metrics.get("ties") or {}).get(split), metrics.get(f"n_{split}")
        if ties and n:
            without = f"without the {ties['n']:,} rows whose label is a two-way tie"
            found.append(_result(name, without, ties["accuracy_without"], n - ties["n"]))
            found.append(
                _result(name, "all rows, either label of a tie accepted", ties["accuracy_either"], n)
            )
    return [result for result in found if result is not None]


def results(view: StudyView) -> list[Result]:
    metrics = view.metrics
    if metrics is not None:
        found = []
        for split, name in SPLITS.items():
            for rows, suffix in ROWS.items():
                accuracy, n = metrics.get(f"{split}_accuracy{suffix}"), metrics.get(f"n_{split}{suffix}")
                interval = (metrics.get(f"interval{suffix}") or {}).get(split)
                found.append(_result(name, rows, accuracy, n, interval))
            new = ((metrics.get("photographs") or {}).get(split) or {}).get("new_photographs")
            if new is not None:
                accuracy, interval = new["accuracy_at_full_mix"], new["accuracy_at_full_mix_interval"]
                found.append(_result(name, AT_FULL_MIX, accuracy, new["n"], interval))
        return [result for result in found if result is not None]
    best = best_trial(view.trials)
    counts = ((view.config.get("data") or {}).get("counts") or {}).get("val")
    result = (
        _result("validation", "all rows, during the search", best.score, sum(counts))
        if best and counts and view.objective_name == "accuracy"
        else None
    )
    return [result] if result else []


def difference(view: StudyView) -> str:
    """What copies of training's photographs add to the accuracy, on the test split if it was measured; empty if not known."""
    metrics = view.metrics or {}
    split = "val" if metrics.get("test_accuracy") is None else "test"
    accuracy = metrics.get(f"{split}_accuracy")
    new = ((metrics.get("photographs") or {}).get(split) or {}).get("new_photographs")
    if new is None or accuracy is None:
        return ""
    points = 100 * (accuracy - new["accuracy_at_full_mix"])
    without = (view.config.get("arguments") or {}).get("dedupe")
    trained = (
        "the retraining left the copies out of its training faces"
        if without
        else "of the other faces the retraining, on the official split, was shown the photograph (--dedupe leaves these out)"
    )
    side = "above" if points >= 0 else "below"
    return (
        f"The accuracy on all {SPLITS[split]} faces is {abs(points):.1f} points {side} that on new photographs with "
        f"the same shares of expressions: {trained}."
    )
