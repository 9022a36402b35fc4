"""Which accuracy may be believed, and what may be claimed with it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from reports.analysis.comparison import differences, on_demo_data, partial_splits
from reports.analysis.results import ROWS, SPLITS, results
from reports.analysis.selection import corrected
from search.study.view import StudyView, best_trial


def honest(view: StudyView) -> str:
    """Which accuracy may be believed, in a sentence or two."""
    tests = [result for result in results(view) if result.split == SPLITS["test"]]
    if tests:
        test, clean = tests[0], [result for result in tests if result.rows in ROWS][-1]
        interval = f"({test.low:.1%} to {test.high:.1%}, n = {test.n:,})"
        seeds = [seed.get("test_accuracy") for seed in (view.metrics or {}).get("seeds") or []]
        values = [value for value in seeds if value is not None]
        whose = " of the saved model" if len(values) > 1 else ""
        said = f"The test accuracy{whose}, {test.accuracy:.1%} {interval}: nothing was chosen by it"
        if clean is not test:
            said += f"; on {clean.rows} alone {clean.accuracy:.1%}"
        if len(values) > 1:
            said += (
                f"; another seed of the configuration may have {fmean(values):.1%}, the mean of {len(values)}"
            )
        number, count = (view.metrics or {}).get("test_reading"), len(view.test_readings)
        if number is not None and count:
            said += f". It is reading {number} of {count} of the test labels"
        return f"{said}. Every validation accuracy is of something chosen on those faces, and flatters."
    found = corrected(view)
    if found is not None:
        return (
            f"{_none_yet(view)} The nearest is the best trial's validation accuracy corrected for the "
            f"choice, {found.accuracy:.1%} ({found.low:.1%} to {found.high:.1%}, n = {found.n:,})."
        )
    if best_trial(view.trials) is None:
        return "None yet: no trial is complete."
    if view.metrics is not None:
        return f"{_none_yet(view)} The validation accuracies are of the best of many tries on the same faces, and flatter."
    return "None yet: the validation scores are of the best of many tries on the same faces, and flatter."


def _none_yet(view: StudyView) -> str:
    if view.metrics is None or not view.test_readings:
        return "None yet: no test label was looked at."
    return "None here: the test labels were not looked at with this model when it was retrained; see the readings below."


def ceiling(view: StudyView) -> str:
    """How well any model can do against these labels, by the photographs that were voted on twice; empty if not known."""
    noise = (view.config.get("data") or {}).get("label_noise")
    if not noise:
        return ""
    return (
        f"Label noise: of {noise['pairs']:,} images that were voted on twice, {noise['repeat']:.1%} got the same label "
        f"both times; so about {noise['ceiling']:.0%} is the best accuracy that any model can have."
    )


def claim(view: StudyView) -> str:
    """One sentence: what this run can and cannot claim."""
    metrics = view.metrics
    if metrics is None:
        return (
            "Nothing can be claimed about test accuracy yet: a search's best validation score is the best of "
            "many tries on the same images, and the test labels are looked at after the retraining."
        )
    if metrics.get("test_accuracy") is None:
        return (
            "Nothing can be claimed about test accuracy: its labels were not looked at with this model (retrain --test does), "
            "and the validation accuracy is of something chosen on those faces."
        )
    if on_demo_data(view):
        return (
            "This run shows that search, retraining and evaluation work together; on generated faces its "
            "accuracy says nothing about recognising emotions in photographs."
        )
    if partial_splits(view):
        return (
            "This run compares its own trials with each other on part of FER+; its accuracy is no result on "
            "the official splits and belongs beside no published figure."
        )
    return _full_split_claim(metrics, differences(view, "vggface2"))


def _full_split_claim(metrics: Mapping[str, Any], reasons: list[str]) -> str:
    n = metrics.get("n_test") or 0
    start = f"The test accuracy stands for the official FER+ test split ({n:,} rows)"
    seeds = len(metrics.get("seeds") or [])
    noise = (
        "one retraining seed, so luck of the seed is not measured"
        if seeds < 2
        else f"{seeds} retraining seeds"
    )
    if reasons:
        return (
            f"{start}, but with another set-up than the published recipes ({'; '.join(reasons)}), so a "
            f"difference to them cannot be put down to the search; the result rests on {noise}."
        )
    return (
        f"{start} and may be set beside published figures on it, but a gap smaller than the interval shows "
        "no better model, the validation accuracy is optimistic because the search chose on its faces, and the "
        f"result rests on {noise}."
    )
