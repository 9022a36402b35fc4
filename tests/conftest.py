"""Which tests are slow: those of processes, databases, browsers, trainings and exports. `make test-fast` leaves them out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import run_search

TESTS = Path(__file__).parent
SHORT = [
    "--subset", "0.1", "--trials", "2", "--epochs", "1", "--pruner", "none", "--set", "backbone=small_vgg",
    "--set", "image_size=16", "--set", "optimizer=adamw", "--finalists", "0",
]  # fmt: skip
"""Options of a search that takes seconds."""
SLOW = (
    "benchmarks",
    "ferplus_data/files/test_owned.py::test_a_kill_between_the_files_is_mended_by_the_next_reader",
    "ferplus_data/files/test_owned.py::test_what_a_killed_process_was_filling_goes_and_what_a_living_one_fills_stays",
    "ferplus_data/photographs",
    "ferplus_data/test_dataset.py::test_nothing_heavy_is_imported_before_batches",
    "models/backbones",
    "models/frozen_prefix",
    "models/networks",
    "models/serving",
    "models/test_extending.py",
    "models/test_keys.py",
    "models/training",
    "reports/html/test_browser.py",
    "reports/html/test_live.py",
    "reports/writers/test_images.py",
    "search/console",
    "search/oracles/test_conformance.py",
    "search/oracles/test_optuna_oracle.py",
    "search/results",
    "search/storages/test_conformance.py",
    "search/storages/test_grpc_proxy.py",
    "search/storages/test_postgres.py",
    "search/storages/test_rdb.py",
    "search/storages/test_trial_cache.py",
    "search/study/test_ownership.py",
    "search/study/test_readings.py::test_several_processes_lose_no_line",
    "search/study/test_version_one.py",
    "search/test_aliases.py",
    "search/test_continuing.py",
    "search/test_control.py",
    "search/test_damaged_files.py",
    "search/test_end_to_end.py",
    "search/test_library.py",
    "search/test_names.py",
    "search/test_objective.py",
    "search/test_readiness.py",
    "search/test_tracking.py",
    "search/test_what_is_searched.py",
    "search/test_warm_start.py",
    "search/workers",
    "test_cli.py",
    "test_completion.py",
    "test_documents.py",
    "test_site.py",
    "test_extending.py",
    "test_portability.py",
    "test_reference.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(TESTS)
        name = f"{path.as_posix()}::{getattr(item, 'originalname', item.name)}"
        if name in SLOW or any(path.is_relative_to(slow) for slow in SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def as_installed() -> Iterator[None]:
    """Have the processes that tests start do without what the tests alone install."""
    path = [str(TESTS / "as_installed"), os.environ.get("PYTHONPATH")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium or Chrome; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome on this machine: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study, a SHORT search on drawn faces: to be read or copied, not to be changed."""
    runs = tmp_path_factory.mktemp("finished")
    assert run_search.main(["search", "--runs-dir", str(runs), *SHORT]) == 0
    return runs / "demo"
