"""Who worked when, where the time went, and what was saved, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reports.analysis.savings import caching, pruning
from reports.analysis.workers import REPORT_SECONDS, afterwards, time_split, workers
from search.study.view import Attempt

START = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def trials(study_of):
    """Two workers: one runs 0-60 s and 100-160 s, the other 20-100 s."""
    plan = [("a", 0, 60), ("b", 20, 100), ("a", 100, 160)]
    times = {"training": 40.0, "validation": 10.0}
    return [
        replace(
            trial,
            state="complete",
            worker=worker,
            started=START + timedelta(seconds=begin),
            ended=START + timedelta(seconds=end),
            times=times,
        )
        for trial, (worker, begin, end) in zip(study_of("full").trials, plan, strict=False)
    ]


def test_utilisation_is_the_share_of_a_workers_presence(trials):
    first, second = workers(trials)
    assert (first.label, first.present, first.busy, first.utilisation) == ("worker 1", 160, 120, 0.75)
    assert (second.name, second.present, second.utilisation) == ("b", 80, 1.0)


def test_time_adds_up_to_all_workers_presence(trials):
    split = time_split(trials)
    assert split == {"training": 120, "validation": 30, "other": 50, "idle": 40}
    assert sum(split.values()) == 160 + 80


def test_time_that_was_not_recorded_is_not_invented(trials):
    assert time_split([replace(trial, times={}) for trial in trials]) == {"other": 200, "idle": 40}
    assert time_split([]) == {}


def test_a_running_trial_lasts_until_the_last_sign_of_life(trials):
    running = replace(trials[0], state="running", ended=None)
    (first, _) = workers([running, trials[1]])
    assert first.busy == 100


def test_a_trial_that_rested_counts_while_it_was_trained(trials):
    """Begun by a, 0-10 s; gone on with by b, 70-90 s; between them it rested."""
    moments = [START + timedelta(seconds=second) for second in (0, 10, 70, 90)]
    attempts = (Attempt("a", moments[0], moments[1]), Attempt("b", moments[2], moments[3]))
    rested = replace(trials[0], state="resting", worker="b", ended=None, times={}, recorded_attempts=attempts)
    assert rested.seconds == 30
    first, second = workers([rested])
    assert (first.name, first.busy, second.name, second.busy) == ("a", 10, "b", 20)
    assert time_split([rested]) == {"other": 30, "idle": 0}
    running = replace(rested, recorded_attempts=(attempts[0], attempts[1]._replace(ended=None)))
    assert running.seconds is None and workers([running, trials[2]])[1].busy == 90


def test_a_trial_that_rests_and_whose_attempts_are_not_known_counts_what_was_recorded(trials):
    resting = replace(trials[0], state="resting", ended=None)
    assert time_split([resting, trials[1]])["other"] == 30  # of trial 1: 80 s less its recorded 50 s


def test_pruning_saved_the_epochs_that_were_left(study_of):
    view = study_of("full")
    pruned = next(t for t in view.trials if t.state == "pruned")
    times = {"training": 30.0, "validation": 10.0, "build": 100.0}
    pruned = replace(pruned, values={1: 0.5, 2: 0.6}, times=times)
    found = pruning(replace(view, trials=[pruned]))
    assert (found.trials, found.epochs, found.possible, found.seconds) == (1, 10, 12, 200)
    assert pruning(replace(view, trials=[])) is None


def test_pruning_counts_what_patience_leaves_and_the_pace_after_the_first_epoch(study_of, tmp_path):
    view = study_of("full")
    complete = [t for t in view.trials if t.state == "complete"][:2]
    complete = [
        replace(t, values=dict.fromkeys(range(1, n + 1), 0.5)) for t, n in zip(complete, (4, 6), strict=True)
    ]
    pruned = [t for t in view.trials if t.state == "pruned"][:2]
    seconds = ([60.0, 8.0, 12.0], [30.0])  # the first epoch compiles the network; one is stopped after it
    pruned = [
        replace(t, values=dict.fromkeys(range(1, len(own) + 1), 0.4), directory=tmp_path / str(t.number))
        for t, own in zip(pruned, seconds, strict=True)
    ]
    for trial, own in zip(pruned, seconds, strict=True):
        trial.directory.mkdir()
        rows = "".join(f"{epoch},{took}\n" for epoch, took in enumerate(own, 1))
        (trial.directory / "history.csv").write_text("epoch,seconds\n" + rows)
    found = pruning(replace(view, trials=complete + pruned))
    assert (found.typical, found.epochs, found.possible) == (5.0, 2 + 4, 10 + 4 + 6)
    assert found.seconds == pytest.approx(2 * 10.0 + 4 * 30.0 * (10.0 / 60.0))


def test_retraining_evaluation_and_report_are_in_the_time(study_of, tmp_path):
    view = study_of("full", directory=tmp_path)
    metrics = {**view.metrics, "times": {"evaluation": 7.0}}
    (tmp_path / "report.html").write_text(REPORT_SECONDS.format(12.5))
    seconds = sum(float(frame["seconds"].sum()) for frame in view.histories.values())
    assert afterwards(replace(view, metrics=metrics)) == {
        "retraining": seconds,
        "evaluation": 7.0,
        "report": 12.5,
    }
    assert afterwards(study_of("running", directory=tmp_path / "none")) == {}


def test_caching_counts_uses_and_reasons(study_of):
    view = study_of("full", trials=9)
    found = caching(view)
    assert (found.used, found.recorded, found.seconds) == (3, 9, 9 * 12.5)
    assert found.reasons == {"trains all layers": 6}
    assert caching(replace(view, trials=[replace(t, prefix_cache=None) for t in view.trials])) is None
