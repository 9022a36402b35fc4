"""Workers on a Ray cluster that loses a node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from search.study.run_directory import RunDirectory
from search.workers.engines import ENGINES
from search.workers.engines import team as teams
from tests.search import processes as p

EPOCHS = 4


def test_a_node_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three actors on two nodes; the node of some is removed in mid-search, Ray starts them again on the other."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("SIMULATED_EPOCH", "0.5")
    monkeypatch.setattr(teams, "PROGRAM", p.SIMULATED)
    run = RunDirectory.of(tmp_path, "cluster")
    url = f"sqlite:///{run.database}"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=3)
        goes = cluster.add_node(num_cpus=2)
        # The study begins with its first trial in a process of its own.
        p.end(
            p.start(
                p.SIMULATED, "search", "--study", run.study, "--runs-dir", str(tmp_path), "--subset", "0.05",
                "--pruner", "none", "--trials", "1", "--epochs", str(EPOCHS), "--grace", "2s",
                SIMULATED_EPOCH="0.1",
            )
        )  # fmt: skip
        config = run.config.read_text()
        run.config.write_text(config.replace('"trials": 1,', '"trials": 12,'))

        said: list[str] = []
        team = teams.Team(run, None, 3, 1, cluster.address, said.append)
        with ENGINES["ray"](team) as engine:
            removed = False

            def over() -> bool:
                nonlocal removed
                trial = p.in_mid_trial(url, run.study, EPOCHS, after=3)()
                if not removed and trial is not None:
                    cluster.remove_node(goes)
                    removed = True
                return not engine.poll()

            p.until(over, seconds=150)
        assert removed
        workers_of = p.assert_nothing_lost_or_repeated(run.path, url, trials=12, epochs=EPOCHS)
        # The one that was started again may have found no trial left.
        starts = sum(log.read_text().count("trials compute in") for log in run.path.glob("workers/*.log"))
        assert starts > 3, "no worker was started again"
        pids = {pid for pids in workers_of.values() for pid in pids}
        p.until(lambda: not any(map(p.is_alive, pids)), seconds=60)
    finally:
        ray.shutdown()
        cluster.shutdown()
        assert os.environ["SIMULATED_EPOCH"]


def test_ray_is_asked_for_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from ferplus_data.errors import InputError

    monkeypatch.setitem(sys.modules, "ray", None)
    team: Any = teams.Team(RunDirectory(tmp_path), None, 1, 1, None, print)
    with pytest.raises(InputError, match="requirements-ray.txt"):
        ENGINES["ray"](team)
