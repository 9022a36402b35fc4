"""A report that follows its study, and never gets in its way."""

from __future__ import annotations

import logging

import pytest

from reports.html.live import MAX_SHARE, RELOAD_SECONDS, LiveReport, watch

RELOADS = f'<meta http-equiv="refresh" content="{RELOAD_SECONDS}">'


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_written_at_events_but_no_more_than_its_share_of_the_time(study_of, tmp_path):
    clock, path, reads = Clock(), tmp_path / "report.html", []

    def read():
        reads.append(clock.now)
        clock.now += 3.0  # as long as reading and writing take
        return study_of("running")

    live = LiveReport(read, path, clock=clock)
    for _ in range(350):
        live()
        clock.now += 1.0
    assert len(reads) >= 3
    assert 3.0 * len(reads) <= MAX_SHARE * clock.now + 3.0
    assert RELOADS in path.read_text()


def test_the_last_page_of_a_search_that_ended_early_does_not_reload(study_of, tmp_path):
    path = tmp_path / "report.html"
    live = LiveReport(lambda: study_of("running"), path)
    live.end()
    assert not path.exists()
    live()
    assert RELOADS in path.read_text()
    live.end()
    assert RELOADS not in path.read_text()


def test_a_failure_is_logged_without_its_password_and_goes_no_further(tmp_path, caplog):
    def read():
        raise RuntimeError("no answer from postgresql://ann:s3cret@host/db")

    with caplog.at_level(logging.WARNING):
        LiveReport(read, tmp_path / "report.html")()
    assert "report not written" in caplog.text and "s3cret" not in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_not_repeated_at_every_event(tmp_path):
    clock, tries = Clock(), []

    def read():
        tries.append(clock.now)
        clock.now += 1.0
        raise RuntimeError("gone")

    live = LiveReport(read, tmp_path / "report.html", clock=clock)
    for _ in range(20):
        live()
        clock.now += 1.0
    assert len(tries) == 1


def test_watching_ends_with_the_study_on_a_page_that_does_not_reload(study_of, tmp_path):
    path, states, slept = tmp_path / "report.html", ["running", "running", "full"], []

    def sleep(seconds):
        assert '<meta http-equiv="refresh" content="7">' in path.read_text()
        slept.append(seconds)

    watch(lambda: study_of(states.pop(0)), path, every=7, sleep=sleep)
    assert slept == [7, 7] and states == []
    page = path.read_text()
    assert '<meta http-equiv="refresh"' not in page and "was retrained as the best" in page


def test_an_interrupted_watch_leaves_a_page_that_does_not_reload(study_of, tmp_path):
    def interrupted(seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(lambda: study_of("running"), tmp_path / "report.html", every=5, sleep=interrupted)
    assert '<meta http-equiv="refresh"' not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("kind", "running", "finished"),
    [
        ("full", False, True),
        ("one trial", False, True),
        ("running", True, False),
        ("none finished", True, False),
        ("only failures", False, True),
        ("no trials", False, False),
    ],
)
def test_whether_a_study_runs_or_is_finished(kind, running, finished, study_of):
    view = study_of(kind)
    assert (view.running, view.finished) == (running, finished)
