from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras_tuner
import pytest

from ferplus_data.errors import InputError
from search.oracles.space.search_space import SpaceModel, declared, recipe_values
from search.study.run_directory import RunDirectory
from search.study.space import default_study_name, load_space, parse_pins
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
        hp, SPACES["ferplus"].recipes["baseline-resnet50"], {"freeze_before": -3, "image_size": 64}
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


@pytest.mark.parametrize("setting", ["dropout", "=3", "dropout="])
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


def two_marks(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    for scope in (["adam", "adamw"], ["adamw", "sgd"]):
        with hp.conditional_scope("optimizer", scope):
            hp.Float(f"learning_rate@{scope[0]}", 1e-4, 1e-2)


def marked_and_not(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("optimizer", ["adamw", "sgd"])
    hp.Float("learning_rate", 1e-4, 1e-2)
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("learning_rate@sgd", 1e-3, 1e-1)


def declared_twice(hp: keras_tuner.HyperParameters) -> None:
    hp.Choice("dropout", [0.1, 0.2])
    hp.Choice("dropout", [0.1, 0.3])


def declared_as_two_kinds(hp: keras_tuner.HyperParameters) -> None:
    hp.Float("dropout", 0.1, 0.2)
    hp.Fixed("dropout", 0.1)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda hp: hp.Float("dropout", 0.0, 1.5), "dropout: expected 0 to"),
        (lambda hp: hp.Float("dropout", -0.5, 0.5), "dropout: expected 0 to"),
        (lambda hp: hp.Choice("dropout", [0.1, 1.0]), "dropout: expected 0 to"),
        (lambda hp: hp.Fixed("dropout", 2.0), "dropout: expected 0 to"),
        (lambda hp: hp.Choice("dropout", ["a", "b"]), "dropout: expected a number"),
        (lambda hp: hp.Boolean("dropout"), "dropout: expected a number"),
        (lambda hp: hp.Choice("dropout", [0.1, "b"]), "the space function raised TypeError"),
        (lambda hp: hp.Choice("dropout", []), "the space function raised ValueError"),
        (lambda hp: hp.Float("batch_size", 16, 64), "batch_size: expected whole numbers, found a Float"),
        (lambda hp: hp.Float("patience", 1, 5, step=0.5), "patience: expected a whole number"),
        (lambda hp: hp.Choice("freeze_before", [-51.5, 0.0]), "freeze_before: expected a whole number"),
        (lambda hp: hp.Int("batch_size", 0, 64), "batch_size: expected 1 to"),
        (lambda hp: hp.Int("batch_size", 64, 16), "the space function raised ValueError"),
        (
            lambda hp: hp.Int("batch_size", 16, 64, default=128),
            "batch_size: expected a default from 16 to 64",
        ),
        (lambda hp: hp.Float("learning_rate", 1e-4, 1e-2, default=1.0), "expected a default from 0.0001"),
        (lambda hp: hp.Choice("lr_policy", ["cosine", "sine"]), "unknown lr policy 'sine'"),
        (lambda hp: hp.Int("plateau_patience", -3, 5), "plateau_patience: expected 0 to"),
        (two_marks, "learning_rate@adam and learning_rate@adamw can both be active"),
        (marked_and_not, "learning_rate and learning_rate@sgd can both be active"),
        (declared_twice, "dropout is declared twice"),
        (declared_as_two_kinds, "dropout is declared twice"),
    ],
)
def test_a_space_that_no_recipe_fits_is_refused(declare: Callable[..., object], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        declared(SpaceModel(Space(lambda hp: declare(hp) and None), {}))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"dropout": 0.7}, "dropout: expected one of 0.1, 0.2, found 0.7"),
        ({"batch_size": 128}, "batch_size: expected 16 to 64 in steps of 16, found 128"),
        ({"batch_size": 24}, "batch_size: expected 16 to 64 in steps of 16, found 24"),
        ({"image_size": 64}, "image_size: expected one of 48, found 64"),
        ({"weight_decay": 0.1}, "expected weight_decay to be declared"),
        ({"droput": 0.1}, "unknown hyperparameter 'droput'"),
    ],
)
def test_a_known_recipe_outside_of_its_space_is_refused(recipe: dict[str, object], said: str) -> None:
    def declare(hp: keras_tuner.HyperParameters) -> None:
        hp.Choice("dropout", [0.1, 0.2])
        hp.Int("batch_size", 16, 64, step=16)
        hp.Fixed("image_size", 48)

    with pytest.raises(InputError, match=said):
        declared(SpaceModel(Space(declare, {"known": recipe}), {}))
    declared(SpaceModel(Space(declare, {"known": {"dropout": 0.2, "batch_size": 48, "patience": 8}}), {}))


def test_a_pin_of_one_mark_stays_in_its_scope() -> None:
    hp = declared(SpaceModel(SPACES["small"], {"learning_rate@sgd": 0.05}))
    assert "learning_rate@sgd" not in recipe_values(hp, {"optimizer": "adamw"}, {})
    assert recipe_values(hp, {"optimizer": "sgd"}, {})["learning_rate@sgd"] == 0.05


@pytest.mark.parametrize(
    ("space", "name"),
    [
        ("small", "ferplus-small"),
        ("ferplus", "ferplus"),
        ("my_space.py:mine", "ferplus-my_space"),
        ("a/my space.py:mine", "ferplus-my-space"),
        ("C:/x/.hidden.py:mine", "ferplus-hidden"),
    ],
)
def test_a_study_is_named_after_its_space(space: str, name: str) -> None:
    assert default_study_name("faces", space) == name


def test_names_that_lose_letters_stay_apart(tmp_path: Path) -> None:
    names = {
        default_study_name("faces", f"{word}.py:mine")
        for word in ("größe", "groe", "顔", "空間", "пространство")
    }
    assert len(names) == 5
    for name in names:
        RunDirectory.of(tmp_path, name)


def test_a_space_file_imports_its_neighbours_now_and_later(tmp_path: Path) -> None:
    (tmp_path / "bits_of_mine.py").write_text("SIZES = [16, 32]\n")
    (tmp_path / "more_of_mine.py").write_text("RATES = [0.1, 0.2]\n")
    (tmp_path / "mine.py").write_text(
        "from bits_of_mine import SIZES\n"
        "def mine(hp):\n"
        "    from more_of_mine import RATES\n"
        "    hp.Choice('batch_size', SIZES)\n"
        "    hp.Choice('dropout', RATES)\n"
    )
    hp = declared(SpaceModel(load_space(f"{tmp_path}/mine.py:mine"), {}))
    assert [one.values for one in hp.space] == [[16, 32], [0.1, 0.2]]
