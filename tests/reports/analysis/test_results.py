"""Accuracies on the page: each with its rows, its interval, and what was seen of the test labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ferplus_data.dataset import Split
from models.metrics.photographs import figures
from reports.analysis.answer import answer
from reports.html.page import render
from reports.writers.tables import as_dict
from search.study.view import StudyView

READING = {
    "when": "2026-03-04T10:00:00+00:00",
    "command": "search",
    "why": "a test",
    "models": [{"trial": 8, "seed": 1, "sha256": "ab", "accuracy": 0.9}],
    "n": 3275,
    "accuracy": 0.9,
}


@pytest.fixture(scope="module")
def measured(study_of) -> StudyView:
    """A study whose metrics.json is of this version."""
    view = study_of("full")
    photographs = {}
    for split, said in view.predictions.items():
        alone = np.arange(len(said.labels))
        rows = Split(said.images, alone, said.labels, said.votes, alone, said.in_training, said.in_training)
        photographs[split] = figures(said.predicted, rows)
    metrics = {
        **view.metrics,
        "interval": {split: [0.9, 0.95] for split in photographs},
        "photographs": photographs,
        "protocol": "baseline",
        "protocols": {
            rule: {"test": {"accuracy": value, "n": n, "interval": [value - 0.01, value + 0.01]}}
            for rule, value, n in (("baseline", 0.93, 3275), ("microsoft", 0.95, 3153), ("cntk", 0.94, 3294))
        },
        "ties": {"test": {"n": 141, "accuracy_without": 0.94, "accuracy_either": 0.945}},
        "votes": {
            "test": {"nll_votes": 0.9, "nll_votes_floor": 0.6, "brier_votes": 0.5, "brier_votes_floor": 0.4}
        },
        "test_reading": 1,
    }
    noise = {"pairs": 886, "repeat": 0.8905, "interval": [0.868, 0.909], "ceiling": 0.9434}
    config = {
        **view.config,
        "data": {**view.config["data"], "label_noise": noise, "labels_source": "label.csv"},
    }
    return replace(view, metrics=metrics, config=config, test_readings=[READING, {}])


def test_intervals_are_those_of_metrics_json(measured: StudyView) -> None:
    results = answer(measured).results
    assert [(r.low, r.high) for r in results if r.rows == "all rows"] == [(0.9, 0.95)] * 2
    at_mix = [r for r in results if r.rows.startswith("new photographs, weighted")]
    expected = [measured.metrics["photographs"][s]["new_photographs"] for s in ("val", "test")]
    assert [r.accuracy for r in at_mix] == [one["accuracy_at_full_mix"] for one in expected]
    assert [r.split for r in results if r.chosen] == ["validation"] * 3


def test_other_rules_and_ties_stand_apart_with_their_rows(measured: StudyView) -> None:
    further = [(r.rows, r.accuracy, r.n) for r in answer(measured).further]
    assert further == [
        ("rows of microsoft", 0.95, 3153),
        ("rows of cntk", 0.94, 3294),
        ("without the 141 rows whose label is a two-way tie", 0.94, 3134),
        ("all rows, either label of a tie accepted", 0.945, 3275),
    ]
    compared = {one.model: one for one in answer(measured).comparisons}
    assert compared["VGG13, probabilistic label drawing"].our_test == 0.95
    assert (
        compared["VGG13, probabilistic label drawing"].rows
        == "3,153 test rows, by the rule microsoft of fer2013new.csv"
    )
    assert (
        compared["EAC"].our_test is None
        and "3,137 test rows, by the rule microsoft of microsoft/FERPlus label.csv"
        in compared["EAC"].reasons[0]
    )


@pytest.mark.parametrize(
    ("dedupe", "said"), [(False, "--dedupe leaves these out"), (True, "left the copies out")]
)
def test_what_copies_add_is_named(dedupe: bool, said: str, measured: StudyView) -> None:
    metrics: dict[str, Any] = {**measured.metrics, "test_accuracy": 0.95}
    metrics["photographs"]["test"]["new_photographs"]["accuracy_at_full_mix"] = 0.94
    config = {**measured.config, "arguments": {**measured.config["arguments"], "dedupe": dedupe}}
    found = answer(replace(measured, metrics=metrics, config=config)).difference
    assert "on all test faces is 1.0 points above that on new photographs" in found and said in found


def test_the_page_says_which_reading_it_is_what_noise_allows_and_how_near_the_votes(
    measured: StudyView,
) -> None:
    page = render(measured)
    for said in (
        "The test accuracy above is reading 1 of 2, of these models:",
        "trial 8, by search, 2026-03-04: 0.9000",
        "of 886 images that were voted on twice, 89.0% got the same label",
        'NLL against the votes, nats</td><td class="n">0.9000</td><td class="n">0.6000',
        "F1, new photographs",
    ):
        assert said in page, said
    assert as_dict(measured)["test_readings"] == [READING, {}]


def test_without_a_look_the_page_has_no_test_figure(measured: StudyView) -> None:
    by_split = ("per_class", "confusion", "calibration", "macro_f1", "majority_class_rate", "interval")
    metrics = {
        **measured.metrics,
        **{name: {"val": measured.metrics[name]["val"]} for name in by_split},
        "test_accuracy": None,
        "n_test": None,
        "test_accuracy_new_photographs": None,
        "test_reading": None,
        "photographs": {"val": measured.metrics["photographs"]["val"]},
        "protocols": {},
        "ties": {},
        "votes": {},
        "seeds": [{**seed, "test_accuracy": None} for seed in measured.metrics["seeds"]],
    }
    said = {"val": measured.predictions["val"]}
    blind = replace(measured, metrics=metrics, predictions=said, test_readings=[])
    found = answer(blind)
    assert found.honest.startswith("None yet: no test label was looked at.") and "--test" in found.claim
    assert {r.split for r in found.results} == {"validation"} and "on the test split" not in found.headline
    assert "Looks at the test labels" not in render(blind)
    assert answer(replace(blind, test_readings=[READING])).honest.startswith("None here:")
