"""Numbers and hyperparameters in people's words."""

from __future__ import annotations

import pytest

from reports.analysis.words import arguments_words, duration_words
from reports.hyperparameters.explanations import explanation, title
from search.oracles.space.search_space import SpaceModel, declared
from spaces import SPACES


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0.42, "0.4 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (187, "3 min 7 s"),
        (3599.7, "1 h"),
        (7387, "2 h 3 min"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations_as_people_write_them(seconds, words):
    assert duration_words(seconds) == words


def test_the_durations_among_a_searchs_arguments_are_told_from_its_numbers():
    arguments = {"grace": 120.0, "timeout": 5400.0, "trial_timeout": None, "trials": 120, "max_latency": 90.0}
    words = {**arguments, "grace": "2 min", "timeout": "1 h 30 min"}
    assert arguments_words({**arguments, "of_a_later_version": 7.0}) == {**words, "of_a_later_version": 7.0}


def test_a_freeze_index_says_what_it_leaves_trainable():
    assert "the last 51 layers are trained" in explanation("freeze_before@resnet50", -51)
    assert explanation("freeze_before", 0) == "every layer is trained"
    assert "the classifier alone" in explanation("freeze_before", -3)
    assert title("freeze_before@resnet50") == "freeze index (resnet50)"
    assert title("a_new_one") == "a new one" and explanation("a_new_one") == ""


@pytest.mark.parametrize("space", SPACES)
def test_every_hyperparameter_of_the_spaces_has_a_word_of_explanation(space):
    names = [one.name for one in declared(SpaceModel(SPACES[space], {})).space]
    assert names and [name for name in names if not explanation(name)] == []


def test_what_the_report_has_no_words_of_its_own_for_is_told_as_it_is_declared():
    assert explanation("decay_to") == "the rate at the end, as a fraction of the initial one"
    ema = explanation("ema_fraction")
    assert ema.startswith("part of the training over which the weights are averaged")
    assert not ema.endswith(".")
