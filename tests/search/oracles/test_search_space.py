from __future__ import annotations

from pathlib import Path

import keras_tuner
import pytest

from ferplus_data.errors import InputError
from search.oracles.search_space import SpaceModel, declared, recipe_values
from search.study.space import load_space, parse_pins
from spaces import SPACES
from spaces.space import Space

FILE = """
from spaces.space import Space
def mine(hp):
    hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
whole = Space(mine, {"known": {"learning_rate": 0.001}}, epochs=7)
number = 3
def broken(hp):
    raise OSError("no luck")
def misspelt(hp):
    hp.Float("learning_rat", 0.0, 1.0)
def wrong_choice(hp):
    hp.Choice("backbone", ["small", "resnet51"])
def twice(hp):
    hp.Choice("optimizer", ["adamw", "sgd"])
    for one in ("adamw", "sgd"):
        with hp.conditional_scope("optimizer", [one]):
            hp.Float("learning_rate", 1e-4, 1e-2)
def nothing(hp):
    pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_space.py"
    path.write_text(FILE)
    return path


def test_a_users_function_is_a_space(file: Path) -> None:
    hp = declared(SpaceModel(load_space(f"{file}:mine"), {}))
    assert [one.name for one in hp.space] == ["learning_rate"]


def test_a_users_space_brings_its_recipes_and_epochs(file: Path) -> None:
    space = load_space(f"{file}:whole")
    assert space.epochs == 7 and space.recipes["known"] == {"learning_rate": 0.001}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("broken", "the space function raised OSError: no luck"),
        ("misspelt", "unknown hyperparameter 'learning_rat'"),
        ("wrong_choice", "unknown backbone 'resnet51'"),
        ("twice", "learning_rate is declared in more than one conditional scope"),
        ("nothing", "declares none"),
        ("number", "expected a function, found int"),
        ("absent", "expected a function absent"),
    ],
)
def test_a_bad_function_is_named(function: str, said: str, file: Path) -> None:
    with pytest.raises(InputError, match=said) as raised:
        declared(SpaceModel(load_space(f"{file}:{function}"), {}))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [("smal", "unknown space 'smal': expected one of"), ("gone.py:f", "no such file as gone.py")],
)
def test_an_unknown_space_is_named(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_space(name)


def test_a_file_that_does_not_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f(hp:\n")
    with pytest.raises(InputError, match=r"bad\.py does not run: SyntaxError"):
        load_space(f"{tmp_path}/bad.py:f")


@pytest.mark.parametrize("space", SPACES)
def test_any_hyperparameter_can_be_pinned(space: str) -> None:
    model = SpaceModel(SPACES[space], {})
    for one in declared(model).space:
        value = one.default
        pinned = declared(SpaceModel(SPACES[space], {one.name: value}))
        assert [type(p).__name__ for p in pinned.space if p.name == one.name] == ["Fixed"]


def test_a_pin_without_its_mark_holds_them_all_and_new_names_may_be_pinned() -> None:
    hp = declared(SpaceModel(SPACES["ferplus"], {"freeze_before": -3, "image_size": 64}))
    names = [one.name for one in hp.space]
    assert "freeze_before" in names and "image_size" in names
    assert not [name for name in names if name.startswith("freeze_before@")]
    values = recipe_values(
        hp, SPACES["ferplus"].recipes["seed-resnet50"], {"freeze_before": -3, "image_size": 64}
    )
    assert values["freeze_before"] == -3 and values["image_size"] == 64 and values["learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("dropout=0.3", 0.3),
        ("batch_size=32", 32),
        ("backbone=small", "small"),
        ("learning_rate@sgd=1e-2", 0.01),
    ],
)
def test_pins_are_typed(setting: str, value: object) -> None:
    (parsed,) = parse_pins([setting]).values()
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize("setting", ["dropout", "=3", "dropout=", "dropuot=0.3"])
def test_a_bad_pin_is_named(setting: str) -> None:
    with pytest.raises(InputError):
        parse_pins([setting])


def test_scopes_that_a_pin_closes_stay_closed() -> None:
    hp = declared(SpaceModel(SPACES["ferplus"], {"backbone": "senet50"}))
    values = recipe_values(hp, {}, {"backbone": "senet50"})
    assert "freeze_before@senet50" in values and "freeze_before@resnet50" not in values


def test_a_space_with_a_name_scope_of_keras_tuner(tmp_path: Path) -> None:
    def declare(hp: keras_tuner.HyperParameters) -> None:
        assert hp.Float("dropout", 0.0, 0.5, default=0.25) == 0.25
        assert hp.get("dropout") == 0.25

    declared(SpaceModel(Space(declare), {}))
