"""What a search is refused for before anything is loaded or made."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ferplus_data.errors import InputError
from search.preflight import check_before, check_placement, chief_role
from search.study.arguments import SearchArguments
from search.study.ownership import undone_if_refused
from search.study.run_directory import RunDirectory

CHIEF = {
    "KERASTUNER_TUNER_ID": "chief",
    "KERASTUNER_ORACLE_IP": "127.0.0.1",
    "KERASTUNER_ORACLE_PORT": "8000",
}


@pytest.fixture(autouse=True)
def no_chief(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CHIEF:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "given", [names for n in (1, 2) for names in itertools.combinations(CHIEF, n)], ids=str
)
@pytest.mark.parametrize("rest", ["unset", "empty"])
def test_keras_tuners_variables_are_set_together(
    given: set[str], rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CHIEF.items():
        if name in given or rest == "empty":
            monkeypatch.setenv(name, value if name in given else "")
    with pytest.raises(InputError) as raised:
        chief_role()
    before = str(raised.value).partition(":")[0]
    assert set(before.split(", ")) == CHIEF.keys() - given


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8000.0", "8 000", "٨", "9" * 5000])
def test_a_port_of_the_chief_is_a_port(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**CHIEF, "KERASTUNER_ORACLE_PORT": port}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="KERASTUNER_ORACLE_PORT: expected a port"):
        chief_role()


def test_the_role_is_that_of_the_tuner_id(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chief_role() is None
    for name, value in CHIEF.items():
        monkeypatch.setenv(name, value)
    assert chief_role() == "chief"
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner1")
    assert chief_role() == "worker"


@pytest.mark.parametrize("blocked", ["blocked", "blocked/below", "blocked/below/further"])
def test_a_folder_that_cannot_be_made_is_refused(blocked: str, tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    run = RunDirectory.of(tmp_path / blocked, "study")
    with pytest.raises(InputError, match="--runs-dir"):
        check_before(SearchArguments(), run, f"sqlite:///{run.database}", fresh=False)


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path / "runs" / "deep", "study")
    check_before(SearchArguments(), run, f"sqlite:///{run.database}", fresh=False)
    assert not list(tmp_path.iterdir())


def test_a_study_refused_late_leaves_no_folder(tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path, "study")
    with pytest.raises(InputError), undone_if_refused(run, f"sqlite:///{run.database}"):
        run.create()
        raise InputError("late")
    assert not run.path.exists()


def test_a_study_that_has_begun_is_left_alone(tmp_path: Path) -> None:
    run = RunDirectory.of(tmp_path, "study")
    run.create()
    run.config.write_text("{}")
    with pytest.raises(InputError), undone_if_refused(run, f"sqlite:///{run.database}"):
        raise InputError("late")
    assert run.config.exists()


def test_an_oracle_whose_package_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="oracle gp: expected PyTorch"):
        check_placement(SearchArguments(oracle="gp"))
