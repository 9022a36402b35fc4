"""What `completion` prints completes commands, options, choices and files, each in its own shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import run_search
from search.commands.completion import SHELLS, script

ASK = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
function=$(complete -p "$1" | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
"$function" "$1" "${@: -1}" "${@: -2:1}"
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""
CASES = [
    (["ferplus-tuner", "sea"], ["search"]),
    (["ferplus-tuner", "search", "--orac"], ["--oracle"]),
    (["ferplus-tuner", "search", "--oracle", "kt-b"], ["kt-bayesian"]),
    (["ferplus-tuner", "search", "--trials", "3", "--quiet", "--space", "tr"], ["transfer"]),
    (["ferplus-tuner", "search", "--no-t"], ["--no-test"]),
    (["ferplus-tuner", "export", "--format", "keras,on"], ["keras,onnx"]),
    (["ferplus-tuner", "status", "--study", ""], ["first", "second"]),
    (["ferplus-tuner", "predict", "fa"], ["face.png"]),
    (["ferplus-tuner", "completion", "z"], ["zsh"]),
    (["python", "run_search.py", "ret"], ["retrain"]),
    (["python", "run_search.py", "search", "--oracle", "kt-b"], ["kt-bayesian"]),
]


def shell(name: str) -> str:
    """Path of a shell; the test is skipped where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine: apt-get install {name}")
    return found


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for name in SHELLS:
        (folder / name).write_text(script(name, run_search.COMMANDS), encoding="utf-8")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("runs/first", "runs/second"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "face.png").touch()
    return tmp_path


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_bash_completes(words: list[str], expected: list[str], scripts: Path, place: Path) -> None:
    result = subprocess.run(
        [shell("bash"), "--norc", "-c", ASK, "ask", str(scripts / "bash"), *words],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(result.stdout.split()) == expected and not result.stderr


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_fish_completes(words: list[str], expected: list[str], scripts: Path, place: Path) -> None:
    program = f"source {scripts / 'fish'}; complete -C '{' '.join(words)}'"
    result = subprocess.run(
        [shell("fish"), "--no-config", "-c", program], cwd=place, capture_output=True, text=True, check=True
    )
    assert sorted(line.partition("\t")[0].rstrip("/") for line in result.stdout.splitlines()) == expected


@pytest.mark.parametrize("name", SHELLS)
def test_every_shell_can_read_its_script(name: str, scripts: Path) -> None:
    subprocess.run([shell(name), "-n", str(scripts / name)], check=True)


def test_zsh_knows_what_completes_which_program(scripts: Path) -> None:
    program = f'autoload -U compinit; compinit -u -D; eval "$(<{scripts / "zsh"})"; print $_comps[{{}}]'
    for called in ("ferplus-tuner", "run_search.py", "python"):
        command = program.replace("{}", called)
        result = subprocess.run([shell("zsh"), "-fc", command], capture_output=True, text=True, check=True)
        function = result.stdout.strip()
        assert function.startswith("_") and f"\n{function}() {{" in (scripts / "zsh").read_text()


def test_python_is_completed_as_before_without_run_search(scripts: Path, place: Path) -> None:
    before = "_mine() { COMPREPLY=(mine); }; complete -F _mine python;" + ASK
    result = subprocess.run(
        [shell("bash"), "--norc", "-c", before, "ask", str(scripts / "bash"), "python", "-"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["mine"]


def test_every_command_and_option_is_in_every_script(scripts: Path) -> None:
    for name in SHELLS:
        text = (scripts / name).read_text()
        for wanted in (*run_search.COMMANDS, "stop-after", "h5-weights", "saved_model"):
            assert wanted in text


def test_the_shell_of_the_user_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, scripts: Path
) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert run_search.main(["completion"]) == 0
    assert capsys.readouterr().out.rstrip() == (scripts / "fish").read_text().rstrip()
    for words in (["csh"], ["bash", "zsh"]):
        assert run_search.main(["completion", *words]) == 2
        assert capsys.readouterr().err.startswith("error: SHELL: expected one ")
