"""optuna-dashboard on a study's storage, in a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import run_search
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from search.console.dashboard import serve
from search.storages.registry import open_storage, open_study
from search.study.run_directory import RunDirectory, storage_url

pytest.importorskip("optuna_dashboard")
ROOT = Path(run_search.__file__).parent


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    found = RunDirectory(tmp_path / "runs" / "faces")
    found.create()
    data = {"source": "demo", "fingerprint": "0", "counts": {"train": [1], "val": [1], "test": [1]}}
    write_json(found.config, {"study": "faces", "arguments": {"trials": 3}, "data": data})
    open_study(open_storage(storage_url(found, None)), "faces").study.enqueue_trial({"dropout": 0.3})
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_serves_the_study_until_interrupted(run: RunDirectory) -> None:
    command = [
        "dashboard",
        "--study",
        "faces",
        "--runs-dir",
        str(run.path.parent),
        "--port",
        str(free_port()),
    ]
    process = subprocess.Popen(
        [sys.executable, "-u", "run_search.py", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.search(r"http://127.0.0.1:\d+", line)
        assert line.startswith("study faces: ") and url is not None
        with urllib.request.urlopen(f"{url[0]}/api/studies", timeout=30) as answer:
            assert '"study_name": "faces"' in answer.read().decode()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        assert process.returncode == 130 and "Traceback" not in error
    finally:
        process.kill()


def test_a_taken_port_is_one_line(run: RunDirectory) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another with --port"):
            serve(run, None, taken.getsockname()[1], say=print)


def test_without_the_package_it_says_how_to_get_it(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(InputError, match="requirements-dashboard.txt"):
        serve(run, None, 8080, say=print)
