"""What the first section claims, and beside which published figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.metrics.intervals import wilson
from models.metrics.published import PUBLISHED
from reports.analysis.answer import answer
from reports.analysis.comparison import compare, partial_splits
from search.study.view import best_trial


@pytest.mark.parametrize(
    ("accuracy", "n", "expected"),
    [
        (0.5, 10, (0.2366, 0.7634)),
        (0.0, 20, (0.0, 0.1611)),
        (1.0, 20, (0.8389, 1.0)),
        (0.865, 3275, (0.8529, 0.8763)),
    ],
)
def test_wilson_interval_agrees_with_published_tables(accuracy, n, expected):
    assert wilson(accuracy, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("accuracy", "n"), [(0.5, 0), (1.2, 10), (-0.1, 10)])
def test_wilson_refuses_what_is_no_proportion(accuracy, n):
    with pytest.raises(ValueError, match="Expected an accuracy in 0..1"):
        wilson(accuracy, n)


DIFFERENCES = {
    "same set-up": ({}, {}, ()),
    "demo": ({"data": "demo", "weights": "none"}, {}, ("generated demo faces, not FER+",)),
    "no weights": ({"weights": "none"}, {}, ("starts from weights none, the published one from VGGFace2",)),
    "weights left to the backbone": ({"weights": None}, {}, ()),
    "small backbone": (
        {"weights": None, "image_size": 0},
        {"hyperparameters": {"backbone": "small"}},
        (
            "starts from weights none, the published one from VGGFace2",
            "the backbone's own image size, the published one of 224 x 224",
        ),
    ),
    "a local copy": ({"weights": "/data/rcmalli_vggface_tf_notop_senet50.h5"}, {}, ()),
    "other weights": (
        {"weights": "/data/mine.h5"},
        {},
        ("starts from weights mine.h5, the published one from VGGFace2",),
    ),
    "image size": ({"image_size": 96}, {}, ("images of 96 x 96, the published one of 224 x 224",)),
    "default size of a big backbone": ({"image_size": 0}, {}, ()),
    "dedupe": (
        {"dedupe": True},
        {},
        ("training faces whose photograph stands in validation or test, or twice, left out",),
    ),
    "subset": (
        {"subset": 0.1},
        {"n_val": 331, "n_test": 328},
        (
            "evaluated on 331 of the official 3,305 validation rows",
            "evaluated on 328 of the official 3,275 test rows",
            "trained on 10% of the training split",
        ),
    ),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_a_recipe_is_comparable_only_without_a_difference(case, study_of):
    arguments, metrics, reasons = DIFFERENCES[case]
    view = study_of("full")
    view = replace(
        view,
        config={**view.config, "arguments": {**view.config["arguments"], **arguments}},
        metrics={**view.metrics, **metrics},
    )
    found = compare(view)
    assert [comparison.model for comparison in found[:2]] == ["ResNet50", "SENet50"]
    for comparison in found[:2]:
        assert comparison.reasons == reasons
        assert comparison.comparable == (not reasons)


def test_published_results_follow_with_their_sources_and_their_own_conditions(study_of):
    view = study_of("full")
    albanie, _, barsoum, *_ = compare(view)[2:]
    assert (barsoum.test_accuracy, albanie.test_accuracy) == (0.8499, 0.888)
    assert "Barsoum et al. 2016" in barsoum.source and "Albanie et al. 2018" in albanie.source
    assert (
        albanie.reasons == ("not measured on its 3,294 test rows, by the rule cntk of fer2013new.csv",)
        and albanie.our_test is None
    )
    assert not barsoum.comparable
    assert "starts from weights vggface2, the published one from none" in barsoum.reasons
    assert "images of 224 x 224, the published one of 64 x 64" in barsoum.reasons
    scratch = {**view.config["arguments"], "weights": "none", "image_size": 64}
    albanie, _, barsoum, *_ = compare(replace(view, config={**view.config, "arguments": scratch}))[2:]
    assert barsoum.reasons == (
        "not measured on its 3,153 test rows, by the rule microsoft of fer2013new.csv",
        "which of the two label files it used was not read",
    )
    assert not albanie.comparable


def test_a_published_figure_stands_beside_ours_on_its_own_rows_alone(study_of):
    view = study_of("full")
    cntk = {"val": {"accuracy": 0.81, "n": 3318}, "test": {"accuracy": 0.79, "n": 3294}}
    found = compare(replace(view, metrics={**view.metrics, "protocols": {"cntk": cntk}}))
    senet = next(one for one in found if "Albanie" in one.source)
    assert senet.comparable and (senet.our_val, senet.our_test) == (0.81, 0.79)
    cntk["test"]["n"] = 3275
    found = compare(replace(view, metrics={**view.metrics, "protocols": {"cntk": cntk}}))
    senet = next(one for one in found if "Albanie" in one.source)
    assert not senet.comparable and senet.our_test is None
    ours = view.metrics["test_accuracy"]
    assert [one.our_test for one in found[:2]] == [ours, ours]


def test_the_other_label_file_is_as_official(study_of):
    view = study_of("full")
    microsoft = {**view.config["data"], "labels_source": "microsoft/FERPlus label.csv"}
    whole = {**view.metrics, "n_val": 3301, "n_test": 3278}
    one = replace(view, config={**view.config, "data": microsoft}, metrics=whole)
    assert partial_splits(one) == [] and "official FER+ test split (3,278 rows)" in answer(one).claim
    assert compare(one)[0].reasons == (
        "not measured on its 3,264 of the 3,275 test rows, drawn at random, by the rule baseline of "
        "fer2013new.csv",
    )
    part = replace(one, metrics=view.metrics)
    assert partial_splits(part)[1] == "3,275 of the official 3,278 test rows"
    trained = replace(view, metrics={**view.metrics, "protocol": "microsoft", "n_val": 3199, "n_test": 3153})
    assert partial_splits(trained) == []


def test_figures_that_were_not_read_at_their_source_say_so():
    unread = {one.model for one in PUBLISHED if not one.read}
    assert {"EAC", "POSTER++", "VGG13, probabilistic label drawing"} <= unread
    assert all(one.caveat or one.protocol for one in PUBLISHED)


def test_recipes_in_percent_and_as_fractions_are_the_same(study_of):
    view = study_of("full")
    percent = [
        {**recipe, "val_accuracy": 88.0, "test_accuracy": 86.5} for recipe in view.metrics["seed_recipes"]
    ]
    found = compare(replace(view, metrics={**view.metrics, "seed_recipes": percent}))
    assert (found[0].val_accuracy, found[0].test_accuracy) == pytest.approx((0.88, 0.865))


CLAIMS = {
    "official split": ({}, {}, "may be set beside published figures"),
    "other set-up": ({"weights": "none"}, {}, "cannot be put down to the search"),
    "part of the split": ({"subset": 0.1}, {"n_test": 328}, "is no result on the official splits"),
    "demo": ({"data": "demo"}, {"n_test": 60}, "says nothing about recognising emotions in photographs"),
    "one seed": ({}, {"seeds": [{"seed": 0}]}, "luck of the seed is not measured"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_claims_no_more_than_the_run_supports(case, study_of):
    arguments, metrics, phrase = CLAIMS[case]
    view = study_of("full")
    view = replace(
        view,
        config={**view.config, "arguments": {**view.config["arguments"], **arguments}},
        metrics={**view.metrics, **metrics},
    )
    assert phrase in answer(view).claim
    assert answer(view).claim.count(". ") == 0


def test_spread_is_over_the_retraining_seeds(study_of):
    view = study_of("full")
    test = next(spread for spread in answer(view).spreads if spread.split == "test")
    values = [seed["test_accuracy"] for seed in view.metrics["seeds"]]
    assert (test.low, test.high, test.seeds) == (min(values), max(values), 3)
    assert test.mean == pytest.approx(sum(values) / 3)


def test_before_retraining_the_best_trial_stands_in_with_its_validation_accuracy(study_of):
    view = study_of("running")
    best = best_trial(view.trials)
    found = answer(view)
    assert (found.trial, found.hyperparameters) == (best.number, best.hyperparameters)
    assert [(r.split, r.accuracy, r.n) for r in found.results] == [("validation", best.score, 3305)]
    assert found.results[0].low < best.score < found.results[0].high


def test_a_pruned_trial_is_never_the_best(study_of):
    view = study_of("full")
    trials = [replace(t, score=0.99) if t.state == "pruned" else t for t in view.trials]
    assert best_trial(trials) == best_trial(view.trials)


def test_the_answer_says_what_suggested_the_best_trial(study_of):
    view = study_of("full")
    assert answer(view).suggested == ""
    sources = ["random", "density", "process", "process"]
    trials = [replace(t, source=sources[i % 4]) for i, t in enumerate(view.trials[:8])]
    found = answer(replace(view, trials=trials, metrics={**view.metrics, "trial": trials[2].number}))
    assert found.suggested == (
        "Suggested by the Gaussian process over hyperparameters and epochs. Trials by source: random 2, density 2, process 4."
    )


def test_a_trial_that_leads_from_its_rung_is_the_best(study_of):
    trials = [t for t in study_of("full").trials if t.state == "complete"][:3]
    leading = replace(trials[1], state="resting", score=0.99)
    assert best_trial([trials[0], leading, trials[2]]) == leading


@pytest.mark.parametrize("states", [("queued",), ("pruned",), ("pruned", "queued"), ("running", "pruned")])
def test_without_a_complete_trial_page_retraining_and_status_mean_the_same_best(states, study_of):
    view = study_of("full")
    scores = [0.3, 0.5]
    trials = [
        replace(trial, number=i, state=state, score=scores[i], values={1: scores[i]})
        for i, (trial, state) in enumerate(zip(view.trials, states, strict=False))
    ]
    best = len(states) - 1
    found = answer(replace(view, trials=trials, metrics=None))
    assert best_trial(trials).number == found.trial == best and f"trial {best}" in found.headline
    found = answer(replace(view, trials=trials, metrics={**view.metrics, "trial": best}))
    assert f"Trial {best} was retrained as the best of {len(states)} trial" in found.headline


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("macro_f1", "the saved model's macro-F1 there is 43.2%"),
        ("balanced_accuracy", "the saved model's balanced accuracy there is 38.8%"),
        ("nll_votes", "the saved model's NLL (annotators' votes) there is 1.235"),
    ],
)
def test_the_headline_tells_the_objective_that_was_searched_for(objective, said, study_of):
    view = study_of("full")
    test = {"macro_f1": 0.4321, "balanced_accuracy": 0.3876, "nll_votes": 1.2346}
    metrics = {**view.metrics, "objectives": {"val": {}, "test": test}}
    config = {**view.config, "arguments": {**view.config["arguments"], "objective": objective}}
    assert said in answer(replace(view, metrics=metrics, config=config)).headline
    assert "the saved model's" not in answer(replace(view, metrics=metrics)).headline


@pytest.mark.parametrize(
    ("objective", "values", "said", "paragraph"),
    [
        (
            "macro_f1",
            [0.43, 0.45, 0.47],
            "; the macro-F1 there is 45.0% (mean of 3 seeds, standard deviation 2.0 points, 43.0% to 47.0%).",
            "mean 45.00%, from 43.00% to 47.00%, standard deviation 2.00 points over 3 seeds",
        ),
        (
            "nll_votes",
            [1.21, 1.19, 1.26],
            "; the NLL (annotators' votes) there is 1.220 (mean of 3 seeds, standard deviation 0.036 nats, 1.190 to 1.260).",
            "mean 1.2200, from 1.1900 to 1.2600, standard deviation 0.0361 nats over 3 seeds",
        ),
    ],
)
def test_the_headline_is_of_the_objective_over_the_seeds(objective, values, said, paragraph, study_of):
    view = study_of("full")
    seeds = [
        {**seed, "objectives": {"val": {objective: value - 0.1}, "test": {objective: value}}}
        for seed, value in zip(view.metrics["seeds"], values, strict=True)
    ]
    metrics = {**view.metrics, "seeds": seeds, "objectives": {"val": {}, "test": {objective: values[0]}}}
    config = {**view.config, "arguments": {**view.config["arguments"], "objective": objective}}
    found = answer(replace(view, metrics=metrics, config=config))
    accuracies = answer(view)
    assert found.headline == accuracies.headline.removesuffix(".") + said
    assert [one.split for one in found.spreads] == ["validation", "test"] * 2
    assert found.spreads[:2] == accuracies.spreads and found.spreads[3].words == paragraph
    # Of one seed there is no spread, and the objective is the saved model's.
    alone = answer(replace(view, metrics={**metrics, "seeds": seeds[:1]}, config=config))
    assert "; the saved model's" in alone.headline and "seeds" not in alone.headline
    assert alone.spreads[3].words.startswith("one seed, ")


def test_of_equal_trials_the_earliest_is_the_best(study_of):
    trials = [t for t in study_of("full").trials if t.state == "complete"][:3]
    equal = [replace(trial, score=0.5) for trial in trials]
    assert best_trial(equal[::-1]) == min(equal, key=lambda trial: trial.number)


def test_how_far_a_search_is_with_a_budget_and_with_resting_trials(study_of):
    view = study_of("full")
    curves = ({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.7}, {1: 0.4}, {1: 0.3})
    states = ("complete", "resting", "resting")
    trials = [
        replace(trial, values=values, score=max(values.values()), state=state)
        for trial, values, state in zip(view.trials, curves, states, strict=False)
    ]
    asked = {**view.config["arguments"], "trials": 9, "epochs": 4, "budget": None}
    view = replace(view, trials=trials, metrics=None, config={**view.config, "arguments": asked})
    assert answer(view).headline.startswith("1 of 9 trials have ended, 2 rest at a rung. The best so far is")
    asked["budget"] = 2.5
    assert answer(view).headline.startswith("3 trials have had 1.5 of 2.5 full trainings. The best so far is")
