"""What a study is asked to do: every option of a search, checked and resolved."""

from __future__ import annotations

import math
from typing import Any

import attrs

from search.oracles import DEFAULT_ORACLE, DEFAULT_PRUNER, own_pruner
from search.study import options as o
from search.study.arguments.workers import YEAR, WorkerArguments
from search.study.options import option
from search.study.space import load_space, parse_pins, parse_space

MOST_EPOCHS, MOST_SEEDS, MOST_FINALISTS = 100_000, 1000, 1000
"""Of one training, and of one retraining; more is a slip of the keyboard."""
_MILLION = 1_000_000


def _trials(given: SearchArguments) -> int:
    usual = 6 if given.data == "demo" else 100
    return usual if given.budget is None else min(math.ceil(10 * given.budget), _MILLION)


def _retrain_epochs(given: SearchArguments) -> int:
    space = load_space(given.space)
    return space.retrain_epochs if given.epochs == space.epochs else given.epochs


@attrs.frozen(kw_only=True, slots=False)
class SearchArguments(WorkerArguments):
    """The options of a search that make it what it is; config.json holds them.

    Each takes a value or a text that stands for one. What is not given is resolved at once, so that nothing is left to a default
    that a later version might change. Adding an option is adding a field here.

    Raises:
        InputError: A value is of the wrong kind, out of its bounds, or none of the choices.

    Example:
        >>> SearchArguments(data="demo", timeout="1h30m").timeout
        5400.0
    """

    data: str = option(
        o.text("DATA"),
        "Folder with FER+ images or CSV files, or 'demo' for generated faces.",
        o.SEARCH,
        default="demo",
        may_change=True,  # it is told by its fingerprint
    )
    space: str = option(
        o.Kind("SPACE", parse_space),
        "ferplus, baseline, small, transfer, demo, or FILE.py:NAME of your own, a function or a spaces.space.Space.",
        o.SEARCH,
        resolve=lambda given: "demo" if given.data == "demo" else "ferplus",
        unless_given="demo for the demo data, else ferplus",
    )
    pins: dict[str, Any] = option(
        o.Kind("NAME=VALUE", parse_pins),
        "Hold a hyperparameter at a value, such as --set backbone=resnet50.",
        o.SEARCH,
        default=attrs.Factory(dict),
        unless_given="none",
        flag="--set",
        repeated=True,
    )
    oracle: str = option(
        o.choice("search.oracles.registry.ORACLES"),
        "What suggests the next trial: the portfolio, an Optuna sampler, or with kt- an oracle of Keras Tuner's.",
        o.SEARCH,
        default=DEFAULT_ORACLE,
    )
    pruner: str = option(
        o.choice("search.oracles.pruners.PRUNERS"),
        "What stops bad trials early, or lets them rest until they are promoted; for oracles that have none of their own.",
        o.SEARCH,
        resolve=lambda given: own_pruner(given.oracle) or DEFAULT_PRUNER,
        unless_given=f"{DEFAULT_PRUNER}; with hyperband and Keras Tuner's oracles their own",
        may_change=True,
    )
    warm_start: list[str] = option(
        o.Kind("STUDY", lambda given: [o.text("STUDY").parse(one) for one in given]),
        "Have the oracle know another study, or FILE.csv with columns of hyperparameters and the objective.",
        o.SEARCH,
        default=attrs.Factory(list),
        unless_given="none",
        repeated=True,
        may_change=True,
    )
    objective: str = option(
        o.choice("models.metrics.objectives.OBJECTIVES"),
        "What the best is the best by, on the validation split: trials, their best epochs, patience, the retraining's seed.",
        o.SEARCH,
        default="accuracy",
    )
    max_params: int | None = option(
        o.whole(1, 10**12),
        "Most parameters of a network; a configuration with more is not tried.",
        o.SEARCH,
        unless_given="no limit",
        may_change=True,
    )
    max_latency: float | None = option(
        o.number(above=0),
        "Most milliseconds for one face on this machine, in float32; a slower configuration is not tried.",
        o.SEARCH,
        unless_given="no limit",
        may_change=True,
    )
    budget: float | None = option(
        o.number(above=0, most=_MILLION),
        "Full trainings that the trials may take together: epochs of all trials over --epochs.",
        o.BUDGET,
        unless_given="no limit",
        may_change=True,
    )
    trials: int = option(
        o.whole(1, _MILLION),
        "Trials in all.",
        o.BUDGET,
        resolve=_trials,
        unless_given="100; 6 for the demo; ten for each full training of --budget",
        may_change=True,
    )
    timeout: float | None = option(
        o.duration(above=0, most=10 * YEAR),
        "Time for search and retraining together, such as 25m or 8h.",
        o.BUDGET,
        unless_given="no limit",
        may_change=True,
    )
    stop_after: int | None = option(
        o.whole(1, _MILLION),
        "End the search when so many trials in a row have brought nothing better.",
        o.BUDGET,
        unless_given="no limit",
        may_change=True,
    )
    stop_at: float | None = option(
        o.number(least=0),
        "End the search when a trial's value of the objective, such as 0.85, is as good as this.",
        o.BUDGET,
        unless_given="no limit",
        may_change=True,
    )
    trial_timeout: float | None = option(
        o.duration(above=0, most=10 * YEAR),
        "Time for a trial; one that takes longer ends with its epoch and counts with what it has.",
        o.BUDGET,
        unless_given="no limit",
        may_change=True,
    )
    epochs: int = option(
        o.whole(1, MOST_EPOCHS),
        "Most epochs of a trial.",
        o.BUDGET,
        resolve=lambda given: load_space(given.space).epochs,
        unless_given="the space's",
    )
    search_fraction: float = option(
        o.FRACTION,
        "Stratified part of the training split that trials train on; the retraining has all of it.",
        o.BUDGET,
        resolve=lambda given: load_space(given.space).search_fraction,
        unless_given="the space's",
    )
    subset: float = option(
        o.FRACTION, "Use only this stratified part of every split, for trying out.", o.BUDGET, default=1.0
    )
    retrain_epochs: int = option(
        o.whole(1, MOST_EPOCHS),
        "Most epochs of the retraining.",
        o.RETRAINING,
        resolve=_retrain_epochs,
        unless_given="--epochs where that is not the space's own number, else the space's",
        may_change=True,
    )
    finalists: int = option(
        o.whole(0, MOST_FINALISTS),
        "Best configurations that are retrained, by successive halving; the one that is left is compared with the space's known "
        "recipe, if it has one. 0: the best trial alone, no comparison.",
        o.RETRAINING,
        default=3,
        may_change=True,
    )
    retrain_seeds: int = option(
        o.whole(1, MOST_SEEDS),
        "Retrain with this many seeds and show mean and spread.",
        o.RETRAINING,
        default=1,
        may_change=True,
    )
    test: bool = option(
        o.FLAG,
        "Look at the test labels with the retrained model, once, and write into test_readings.jsonl that it was done; --no-test: "
        "do not. [default: --test]",
        o.RETRAINING,
        default=True,
        off="--no-test",
        may_change=True,
    )
    seed: int = option(o.SEED, "Of the oracle and of the trainings.", o.TRAINING, default=0)
    weights: str | None = option(
        o.text("WEIGHTS"),
        "vggface2, dlib, none, or a weights file.",
        o.TRAINING,
        unless_given="those published for the backbone: vggface2 of resnet50 and senet50, dlib of dlib_face, else none",
    )
    image_size: int = option(
        o.whole(0, 1024),
        "Side in pixels that the network sees; 0: the space's, else the backbone's own.",
        o.TRAINING,
        default=0,
    )
    dedupe: bool = option(
        o.FLAG, "Drop training images that repeat or stand in another split.", o.TRAINING, default=False
    )
    protocol: str = option(
        o.choice("ferplus_data.labels.PROTOCOLS"),
        "Rule of which rows stay and what their labels are: the baseline's, microsoft's ferplus.py or CNTK's (README, Data).",
        o.TRAINING,
        default="baseline",
    )
    precision: str = option(
        o.choice("models.device.precision.PRECISIONS", "auto"),
        "auto: the fastest that the GPU is good at, float32 on CPUs.",
        o.TRAINING,
        default="auto",
    )
    cache_gb: float | None = option(
        o.number(least=0, most=_MILLION),
        "Disk for activations of frozen layers; 0: none.",
        o.TRAINING,
        unless_given="half of the free disk, at most 100",
        may_change=True,
    )
    cache_views: int = option(
        o.whole(1, 1000), "Augmented views of each image that cached trials train on.", o.TRAINING, default=4
    )
    callbacks: str | None = option(
        o.text("FILE.py:FUNCTION"),
        "Function that returns Keras callbacks, called anew for each trial.",
        o.TRAINING,
        unless_given="none",
        may_change=True,
    )

    def __attrs_post_init__(self) -> None:
        if self.workers == "auto":
            from models.device.gpus import visible_gpus

            object.__setattr__(self, "workers", max(1, len(visible_gpus()) // self.gpus_per_trial))
