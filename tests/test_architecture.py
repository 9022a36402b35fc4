"""The picture of the rooms is what the code does, and imports go one way."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import run_search

ROOT = Path(run_search.__file__).parent


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_architecture", ROOT / "docs" / "make_architecture.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_folder_and_file_has_its_room(architecture: ModuleType) -> None:
    rooms = set()
    for top in ("models", "search", "reports"):
        for path in (ROOT / top).iterdir():
            if path.name not in ("__init__.py", "__pycache__"):
                rooms.add(f"{top}/{path.stem}")
    assert rooms == {room for room in architecture.ROOMS if "/" in room}


@pytest.mark.parametrize("top", ["models", "search", "reports"])
def test_each_folder_introduces_what_is_in_it(top: str, architecture: ModuleType) -> None:
    said = ast.get_docstring(ast.parse((ROOT / top / "__init__.py").read_text(encoding="utf-8"))) or ""
    names = [room.split("/")[1] for room in architecture.ROOMS if room.startswith(f"{top}/")]
    assert [name for name in names if not re.search(rf"\b{name}(/|\.py)", said)] == []


def test_imports_go_one_way(architecture: ModuleType) -> None:
    order = list(architecture.ROOMS)
    upwards = [(one, other) for one, other in architecture.arrows() if order.index(one) < order.index(other)]
    assert not upwards, "rooms that import from rooms above them"


def test_oracles_know_no_process_and_storages_no_run_directory(architecture: ModuleType) -> None:
    arrows = architecture.arrows()
    assert not {("search/oracles", "search/workers"), ("search/storages", "search/study")} & arrows
    assert {one for one, other in arrows if other == "spaces"} <= {
        "search/oracles",
        "search/study",
        "search/setup",
    }


def test_the_picture_is_of_these_imports(architecture: ModuleType) -> None:
    drawn = architecture.PICTURE.read_text(encoding="utf-8")
    assert drawn == architecture.picture(architecture.arrows()), "run docs/make_architecture.py"


def test_one_function_meets_the_test_labels() -> None:
    takers = {
        str(path.relative_to(ROOT))
        for top in ("models", "search", "reports", "spaces", "ferplus_data", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
        if ".reveal_labels()" in path.read_text("utf-8")
    }
    assert takers == {"search/results/measuring.py"}
    assert (ROOT / "search/results/measuring.py").read_text("utf-8").count(".reveal_labels()") == 1


def test_no_file_or_folder_outgrows_a_reader() -> None:
    files = [
        path
        for top in ("models", "search", "reports", "spaces", "ferplus_data")
        for path in (ROOT / top).rglob("*.py")
    ]
    long = {
        str(path.relative_to(ROOT)): n
        for path in files
        if (n := len(path.read_text("utf-8").splitlines())) > 300
    }
    assert not long, "files over 300 lines"
    families = {"reports/figures", "search/commands"}  # one member a file
    folders = {path.parent for path in files}
    crowded = {
        str(folder.relative_to(ROOT))
        for folder in folders
        if len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) > 12
    }
    assert crowded <= families


# The command line's options, which are generated from one another, are as many as they are.
_OF_THE_COMMAND_LINE = {"search/study/options.py:option"}


def test_no_function_outgrows_a_reader() -> None:
    found = set()
    for top in ("models", "search", "reports", "spaces", "ferplus_data", "benchmarks", "run_search.py"):
        for path in [ROOT / top] if top.endswith(".py") else sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                asked = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                parameters = len([one for one in asked if one.arg not in ("self", "cls")])
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 60 or parameters > 8:
                    name = f"{path.relative_to(ROOT)}:{node.name}"
                    found |= {name} - _OF_THE_COMMAND_LINE
    assert not found, "functions of more than 60 lines or 8 parameters"
