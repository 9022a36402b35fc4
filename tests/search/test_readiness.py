"""What `check` and --dry-run find, before anything is decoded, fetched or made."""

from __future__ import annotations

import io
import urllib.error
from pathlib import Path
from typing import Any

import pytest

import run_search
from ferplus_data.dataset import load_dataset
from ferplus_data.errors import InputError
from models.recipe import Recipe
from search import readiness, time_estimate
from search.oracles.space.search_space import declared
from search.readiness import NOTE, OK, WRONG, Finding, findings
from search.setup import space_model
from search.storages.registry import open_storage, open_study
from search.study.arguments import SearchArguments
from search.study.run_directory import RunDirectory
from search.time_estimate import estimate, seconds_per_face


@pytest.fixture(autouse=True)
def a_millisecond_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_estimate, "seconds_per_face", lambda recipe, arguments: 0.001)


def found(tmp_path: Path, storage: str | None = None, **given: Any) -> dict[str, Finding]:
    run = RunDirectory(tmp_path / "runs" / "faces")
    lines = findings(SearchArguments(**given), run, storage=storage, fresh=False)
    return {line.subject: line for line in lines}


def test_a_search_that_could_begin(tmp_path: Path) -> None:
    lines = found(tmp_path, data="demo", subset=0.5)
    dataset = load_dataset("demo")
    assert {line.state for line in lines.values()} <= {OK, NOTE}
    for name in ("train", "val", "test"):
        assert f"{round(0.5 * len(getattr(dataset, name))):,} {name}" in lines["data"].found
    assert lines["labels"] == Finding("labels", OK, "generated")
    assert lines["weights of small_vgg"].found == "random" and "to be made" in lines["storage"].found
    assert not (tmp_path / "runs").exists()


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreached(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(readiness.urllib.request, "urlopen", unreached)
    blocked = tmp_path / "runs"
    blocked.write_text("a file where a folder should be")
    lines = found(tmp_path, data="/nowhere", space="ferplus")
    wrong = {subject: line.found for subject, line in lines.items() if line.state == WRONG}
    assert set(wrong) == {"options", "data", "weights of resnet50", "weights of senet50"}
    assert "nothing at that path" in wrong["data"] and "no folder" in wrong["options"]
    for words in ("no route to host", "--weights FILE", "--space transfer", "requirements-dlib.txt"):
        assert words in wrong["weights of senet50"]


def test_weights_that_would_be_fetched_and_those_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer(io.BytesIO):
        headers = {"Content-Length": "94000000"}

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(readiness.urllib.request, "urlopen", lambda *_, **__: Answer())
    asked = {"data": "demo", "space": "ferplus", "pins": {"backbone": "resnet50"}}
    line = found(tmp_path, **asked)["weights of resnet50"]
    assert line.state == NOTE and "94 MB to be fetched from https://" in line.found
    here = tmp_path / "models" / "vggface" / "rcmalli_vggface_tf_notop_resnet50.h5"
    here.parent.mkdir(parents=True)
    here.touch()
    assert found(tmp_path, **asked)["weights of resnet50"] == Finding(
        "weights of resnet50", OK, f"vggface2, {here}"
    )
    assert found(tmp_path, **asked, weights="/no/such.h5")["weights of resnet50"].state == WRONG


def test_a_storage_that_has_the_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/server.db"
    open_study(open_storage(url), "faces", metric="val_accuracy").study.add_trials([])
    assert found(tmp_path, url, data="demo")["storage"].found.endswith("server.db: 0 trials")
    assert found(tmp_path, f"sqlite:///{tmp_path}/no/folder.db", data="demo")["storage"].state == WRONG


@pytest.mark.parametrize(
    ("given", "trials", "search", "retraining"),
    [
        ({"trials": 10}, 10, 10 * 4 * 0.250, 12 * 0.850),
        ({"budget": 3, "trials": 10}, 3, 3 * 4 * 0.250, 12 * 0.850),
        ({"trials": 10, "workers": 4, "retrain_seeds": 2}, 10, 10 * 4 * 0.250, 24 * 0.850),
        ({"trials": 10, "finalists": 1}, 10, 10 * 4 * 0.250, 24 * 0.850),
        ({"trials": 1, "epochs": 2, "search_fraction": 0.5, "retrain_epochs": 2}, 1, 2 * 0.450, 2 * 0.850),
    ],
)
def test_the_time_is_what_there_is_to_train_on(
    given: dict[str, Any], trials: float, search: float, retraining: float
) -> None:
    arguments = SearchArguments(
        data="demo", **({"search_fraction": 0.25, "finalists": 0, "retrain_epochs": 12} | given)
    )
    model = space_model(arguments)
    told = estimate(arguments, model, declared(model), {"train": 800, "val": 150, "test": 9})
    assert (told.trials, told.search, told.retraining) == pytest.approx((trials, search, retraining))


def test_while_the_cache_is_cold_it_is_said_that_decoding_comes_on_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERPLUS_CACHE", str(tmp_path / "cache"))
    assert "decoded" in found(tmp_path, data="demo")["time on top"].found
    assert not list((tmp_path / "cache").glob("faces-*"))
    load_dataset("demo")
    assert "time on top" not in found(tmp_path, data="demo")


def test_a_step_is_really_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(backbone="small", image_size=32)
    assert 0 < seconds_per_face(recipe, SearchArguments(data="demo")) < 1


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--runs-dir", str(tmp_path / "runs")]
    assert run_search.main(["check", *arguments]) == 0
    checked = capsys.readouterr().out
    assert run_search.main(["search", "--dry-run", *arguments]) == 0
    assert capsys.readouterr().out == checked and "time in all" in checked
    assert run_search.main(["check", "--data", "/nowhere", "--space", "small", *arguments]) == 2
    assert "1 of these would keep a search from beginning" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_a_study_that_cannot_be_continued(tmp_path: Path) -> None:
    from search.study.config import write_config

    run = RunDirectory(tmp_path / "runs" / "faces")
    run.create()
    begun = SearchArguments(data="demo", seed=1)
    write_config(run, begun, load_dataset("demo", subset=0.05), [])
    assert "seed=1, found 2" in found(tmp_path, data="demo", seed=2)["options"].found
    with pytest.raises(InputError):
        SearchArguments(data="demo", seed=-1)
