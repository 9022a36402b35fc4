"""What the report says of several configurations that were retrained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.analysis.finalists import finals
from reports.html.page import render
from search.study.view import StudyView

STATEMENT = "the search improved on the known recipe by 1.2 points [-0.3, 2.7]: not shown"
ON_TEST = "the search improved on the known recipe by 0.4 points [-0.9, 1.7] of test accuracy: not shown"


def of_several(view: StudyView, tau: float | None) -> StudyView:
    """The study `view` with the retraining of three configurations of which the second is kept."""
    numbers = [view.trials[0].number, (view.metrics or {})["trial"], 7]
    rows: list[dict[str, Any]] = [
        {
            "trial": number,
            "known_recipe": place == 2,
            "trial_score": 0.6 + 0.01 * place,
            "hyperparameters": {},
            "epochs": 60 if place else 15,
            "value_at_first_rung": 0.7,
            "values": [0.71] if place == 0 else [0.8321, 0.8423],
        }
        for place, number in enumerate(numbers)
    ]
    told = {
        "finalists": rows,
        "improvement": {"statement": STATEMENT},
        "improvement_test": {"statement": ON_TEST},
        "rank_correlation": {"kendall_tau": tau, "n": 3, "epochs": 15},
    }
    return replace(view, metrics={**(view.metrics or {}), **told})


@pytest.fixture
def several(study_of: Callable[..., StudyView]) -> StudyView:
    return of_several(study_of("full"), -1 / 3)


def test_who_was_retrained_and_who_is_kept(several: StudyView) -> None:
    found = finals(several)
    assert found is not None and found.objective == "accuracy"
    assert [one.kept for one in found.finalists] == [False, True, False]
    assert [one.known_recipe for one in found.finalists] == [False, False, True]
    assert [one.value for one in found.finalists] == pytest.approx([0.71, 0.8372, 0.8372])
    assert [(one.epochs, one.trainings) for one in found.finalists] == [(15, 1), (60, 2), (60, 2)]
    assert "of the 3 configurations as trials and retrained, after 15 epochs" in found.order
    assert "-0.33" in found.order


def test_it_stands_on_the_page(several: StudyView) -> None:
    page = render(several)
    kept = (several.metrics or {})["trial"]
    assert f"{STATEMENT}." in page and f"by which nothing was chosen: {ON_TEST}." in page
    assert "7 (the known recipe)" in page and f"{kept} (kept)" in page
    assert f"Trial {kept} was the best of 3 retrained of " in page and "mean of 3 seeds" in page
    assert "asked for by the user" not in page


def test_too_few_to_tell_their_order(study_of: Callable[..., StudyView]) -> None:
    found = finals(of_several(study_of("full"), None))
    assert found is not None and found.order.startswith("Too few configurations")


@pytest.mark.parametrize("kind", ["full", "running", "no trials"])
def test_one_retrained_configuration_is_compared_with_nothing(
    kind: str, study_of: Callable[..., StudyView]
) -> None:
    assert finals(study_of(kind)) is None
