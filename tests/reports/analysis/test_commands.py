"""The commands printed on the page run as printed."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import attrs
import pytest

import run_search
from reports.analysis.commands import commands, trial_command
from search.study.arguments import SearchArguments


def test_search_repeats_every_argument_that_was_set(study_of):
    words = shlex.split(commands(study_of("full"))["Reproduce the search"])
    assert words[:5] == ["python", "run_search.py", "search", "--study", "faces"]
    options = dict(zip(words[5::2], words[6::2], strict=True))
    assert options == {
        "--data": "data/fer plus",
        "--space": "ferplus",
        "--oracle": "tpe",
        "--pruner": "median",
        "--trials": "60",
        "--epochs": "12",
        "--seed": "7",
        "--weights": "vggface2",
        "--image-size": "224",
        "--subset": "1.0",
        "--retrain-seeds": "3",
        "--set": "optimizer=adam",
    }


def test_a_flag_that_was_on_has_no_value(study_of):
    view = study_of("full")
    on = replace(view, config={"arguments": {"dedupe": True, "trials": 4}})
    assert shlex.split(commands(on)["Reproduce the search"])[5:] == ["--dedupe", "--trials", "4"]


def test_a_trials_command_pins_all_its_hyperparameters_in_a_study_of_its_own(study_of):
    view = study_of("full")
    trial = view.trials[5]
    words = shlex.split(trial_command(view, trial))
    words.remove("--no-test")  # looking at one trial after another would use the test split up
    options = list(zip(words[3::2], words[4::2], strict=True))
    assert (
        ("--study", "faces-trial-5") in options
        and ("--trials", "1") in options
        and ("--seed", "7") in options
    )
    pinned = {value.partition("=")[0]: value.partition("=")[2] for name, value in options if name == "--set"}
    assert pinned == {name: str(value) for name, value in trial.hyperparameters.items()}


def test_every_argument_of_a_study_is_an_option_of_the_command_line(capsys):
    assert run_search.main(["search", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    arguments = {field.name for field in attrs.fields(SearchArguments)} - {"pins"}
    assert {f"--{name.replace('_', '-')}" for name in arguments} <= known


@pytest.mark.parametrize("name", ["plain", "two words", "a;rm -rf b", "$(whoami)", "it's"])
def test_names_survive_the_shell(name, study_of):
    for line in commands(replace(study_of("full"), name=name)).values():
        words = shlex.split(line)
        assert words[words.index("--study") + 1] == name


def test_another_runs_directory_is_named(study_of):
    view = study_of("full")
    assert "--runs-dir" not in commands(view)["Export the model"]
    moved = replace(view, directory=Path("/copied here/runs/faces"))
    assert "--runs-dir '/copied here/runs'" in commands(moved)["Export the model"]
