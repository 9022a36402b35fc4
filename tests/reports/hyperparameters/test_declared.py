"""Kinds of hyperparameters, told from their values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.trials import first_line
from reports.figures.ticks import even_ticks, log_ticks, whole_axis
from reports.hyperparameters.declared import hyperparameters, shown, varied

CASES = {
    "policy": (["step", "cosine", "step"], "categorical", False, ("step", "cosine")),
    "flag": ([True, False, True], "categorical", False, ("True", "False")),
    "size": ([64, 16, 64], "integer", False, (16, 64)),
    "freeze_before": ([0, -51, -12], "integer", False, (-51, -12, 0)),
    "dropout": ([0.5, 0.017, 0.3], "real", False, (0.017, 0.3, 0.5)),
    "decay": ([1e-6, 1e-2, 1e-4], "real", False, (1e-6, 1e-4, 1e-2)),
    "momentum": ([0, 0.9, 0.5], "real", False, (0, 0.5, 0.9)),
    "clip": ([None, 1.0, 2.0], "categorical", False, ("none", "1", "2")),
}


@pytest.mark.parametrize("name", CASES)
def test_kind_scale_and_choices(name, study_of):
    values, kind, log, choices = CASES[name]
    trials = [replace(t, hyperparameters={name: v}) for t, v in zip(study_of().trials, values, strict=False)]
    (found,) = hyperparameters(trials)
    assert (found.kind, found.log, found.choices, found.absent) == (kind, log, choices, False)


DECLARED = {
    "this version": [
        {
            "name": "rate",
            "kind": "float",
            "values": None,
            "low": 1e-5,
            "high": 1e-1,
            "scale": "log",
            "conditions": [],
        },
        {"name": "depth", "kind": "choice", "values": [0, -99, -51, -3], "ordered": True, "conditions": []},
        {
            "name": "size",
            "kind": "choice",
            "values": [1, 2],
            "ordered": False,
            "conditions": [["net", ["a"]]],
        },
        {
            "name": "wait",
            "kind": "int",
            "values": None,
            "low": 1,
            "high": 5,
            "scale": "linear",
            "conditions": [],
        },
    ],
    "the version before": {
        "space": [
            {
                "class_name": "Float",
                "config": {
                    "name": "rate",
                    "conditions": [],
                    "min_value": 1e-5,
                    "max_value": 1e-1,
                    "sampling": "log",
                },
            },
            {
                "class_name": "Choice",
                "config": {"name": "depth", "conditions": [], "values": [0, -99, -51, -3], "ordered": True},
            },
            {
                "class_name": "Choice",
                "config": {
                    "name": "size",
                    "conditions": [{"class_name": "Parent", "config": {"name": "net", "values": ["a"]}}],
                    "values": [1, 2],
                    "ordered": False,
                },
            },
            {
                "class_name": "Int",
                "config": {
                    "name": "wait",
                    "conditions": [],
                    "min_value": 1,
                    "max_value": 5,
                    "sampling": "linear",
                },
            },
        ],
        "values": {},
    },
}


@pytest.mark.parametrize("version", DECLARED)
def test_the_declared_space_says_what_three_trials_cannot(version, study_of):
    values = [
        {"rate": 0.011, "depth": -3, "size": 2, "wait": 2},
        {"rate": 0.012, "depth": 0, "wait": 5},
        {"rate": 0.013, "depth": -51, "size": 1, "wait": 3},
    ]
    trials = [replace(t, hyperparameters=own) for t, own in zip(study_of().trials, values, strict=False)]
    rate, depth, size, wait = hyperparameters(trials, DECLARED[version])
    assert (rate.kind, rate.log, rate.discrete, rate.low, rate.high) == ("real", True, False, 1e-5, 1e-1)
    assert (depth.kind, depth.discrete, depth.choices) == ("integer", True, (-51, -3, 0))
    assert (size.kind, size.choices, size.conditions) == ("categorical", ("1", "2"), (("net", ("a",)),))
    assert size.absent and not depth.absent
    assert (wait.kind, wait.discrete, wait.low, wait.high) == ("integer", True, 1, 5)


@pytest.mark.parametrize(
    ("declared", "values", "kind"),
    [
        ({"kind": "float", "low": 0.0, "high": 2.0}, [0, 1, 2], "real"),
        ({"kind": "int", "low": 1, "high": 9}, [1, 2, 3], "integer"),
        ({"kind": "choice", "values": [0, 0.5, 1], "ordered": True}, [0, 1, 0], "real"),
        ({"kind": "choice", "values": [16, 32], "ordered": False}, [16, 16, 32], "categorical"),
        ({"kind": "boolean", "values": [False, True]}, [True, True, True], "categorical"),
        ({"kind": "fixed", "values": [2]}, [2, 2, 2], "integer"),
    ],
)
def test_the_kind_is_the_declared_one_whatever_the_trials_have_of_it(declared, values, kind, study_of):
    """And its conditions are, also where every trial meets them."""
    conditions = [["optimizer", ["sgd"]]]
    trials = [replace(t, hyperparameters={"x": v}) for t, v in zip(study_of().trials, values, strict=False)]
    (found,) = hyperparameters(trials, [{"name": "x", "conditions": conditions, **declared}])
    assert (found.kind, found.conditions, found.absent) == (kind, (("optimizer", ("sgd",)),), False)


def test_absent_and_constant_ones_are_told_apart(study_of):
    trials = study_of().trials[:3]
    sets = [{"a": 1, "fixed": 2}, {"a": 2, "fixed": 2, "b": 1}, {"a": 3, "fixed": 2, "b": 5}]
    trials = [replace(t, hyperparameters=chosen) for t, chosen in zip(trials, sets, strict=True)]
    assert {p.name: p.absent for p in varied(trials)} == {"a": False, "b": True}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00059321, "0.0005932"), (1e-5, "1e-05"), (64, "64"), (None, "none"), (True, "True")],
)
def test_values_as_text(value, text):
    assert shown(value) == text


def test_log_ticks_keep_clear_of_the_ends():
    assert log_ticks(1.1e-5, 9e-3) == pytest.approx([1.1e-5, 1e-4, 1e-3, 9e-3])
    assert log_ticks(9e-4, 5e-3) == pytest.approx([9e-4, 5e-3])
    assert log_ticks(1e-3, 1e-3) == [1e-3]


def test_even_ticks_are_round_inside_and_exact_at_the_ends():
    assert even_ticks(0.017, 0.587, 5) == pytest.approx([0.017, 0.16, 0.3, 0.44, 0.587])


@pytest.mark.parametrize(("numbers", "step"), [([], 1), ([3], 1), (range(8), 1), (range(60), None)])
def test_few_whole_numbers_are_one_step_apart(numbers, step):
    assert whole_axis(numbers).get("dtick") == step


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("Traceback (most recent call last):\n  File x\nValueError: bad rate\n", "ValueError: bad rate"),
        ("worker lost\nno heartbeat for 60 s", "worker lost"),
        (None, ""),
    ],
)
def test_an_errors_reason_is_one_line(error, line):
    assert first_line(error) == line
