"""The code of README.md and docs/*.md, command lines and other blocks, and how each is tried: the table TRIED."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PROGRAMS = (
    r"(?:\S*/)?(?:python3?|pip)|\S+\.(?:py|sh)|ferplus-tuner|export(?= [A-Z_]+=)|"
    "make|npm|curl|srun|eval|sha256sum|ruff|docker|git"
)
_COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{_PROGRAMS})\s\S.*")


@dataclass(frozen=True)
class Block:
    """Lines of code that stand together, on the page of that name."""

    page: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def is_of_commands(self) -> bool:
        return any(map(_COMMAND.fullmatch, self.lines))

    @property
    def commands(self) -> list[str]:
        """Each of its lines, as many times as a loop around it has values."""
        found, variable, values = [], "", [""]
        for line in self.text.replace("\\\n", "").splitlines():
            line = _normal(line)
            if loop := re.fullmatch(r"for (\w+) in (.+); do", line):
                variable, values = loop[1], loop[2].split()
            elif line == "done":
                variable, values = "", [""]
            elif line:
                found += [line.replace(f"${variable}", value) if variable else line for value in values]
        return found


def _normal(line: str) -> str:
    """A command line without its comment and the way to the environment's programs, with single spaces."""
    return " ".join(re.sub(r"(^|\s+)#.*", "", line).split()).replace(".venv/bin/", "")


def _paragraphs(page: Path) -> list[tuple[bool, list[str]]]:
    """Lines that stand together, with whether they are code, which is indented by four; what is between fences is one."""
    found: list[tuple[bool, list[str]]] = []
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
            found.append((fenced, []))
            continue
        code = fenced or line.startswith("    ")
        if (not line and not fenced) or not found or found[-1][0] != code:
            found.append((code, []))
        if line or fenced:
            found[-1][1].append(line if fenced or not code else line[4:])
    return [(code, lines) for code, lines in found if lines]


def blocks() -> list[Block]:
    """Every block of code, in the pages' order."""
    return [Block(page.name, tuple(lines)) for page in PAGES for code, lines in _paragraphs(page) if code]


def _in_text() -> list[str]:
    """The command lines that stand in the text between backticks."""
    found = []
    for page in PAGES:
        for code, lines in _paragraphs(page):
            spans = [] if code else re.findall(r"`([^`]+)`", " ".join(lines))
            found += [_normal(span) for span in spans if _COMMAND.fullmatch(span)]
    return found


def commands() -> list[str]:
    """Every command line, each once."""
    of_blocks = [line for block in blocks() if block.is_of_commands for line in block.commands]
    return list(dict.fromkeys([*of_blocks, *_in_text()]))


def others() -> dict[str, Block]:
    """PAGE: FIRST LINE -> a block that is not of commands."""
    return {f"{one.page}: {one.lines[0]}": one for one in blocks() if not one.is_of_commands}


@dataclass(frozen=True)
class Run:
    """tests/test_documents.py runs it, in a folder with all that it names, with `more` options behind its own."""

    more: str = ""


@dataclass(frozen=True)
class By:
    """`test` runs it, or the same with other names: FILE::FUNCTION."""

    test: str


@dataclass(frozen=True)
class Read:
    """Its options are read by the program, which then ends, `because` of what its work takes."""

    because: str


@dataclass(frozen=True)
class Made:
    """`make` says that it would run `what`."""

    what: str


@dataclass(frozen=True)
class Installed:
    """What it names is held against the requirements; the tests run with them, and fetch none."""


@dataclass(frozen=True)
class NotRun:
    """It is no command, or one that no test can run, `because` of this."""

    because: str


HERE = "tests/test_documents.py"
EXPORT = "tests/search/results/test_export.py"
FORMATS = "tests/models/serving/test_export.py"
WEB = "tests/models/serving/test_web.py"
RECORDED = "tests/benchmarks/test_recorded.py"
SIMULATOR = "tests/benchmarks/test_simulator.py"
WARM_START = "tests/search/test_warm_start.py"
SHORT_SEARCH = (
    "--trials 1 --epochs 1 --retrain-epochs 1 --workers 1 --weights none --cache-gb 0 --runs-dir searched"
)
"""A search with these runs whole but for the trainings, which would add nothing but time: they are simulated, as those in
tests/search/test_control.py are. tests/search/workers has several workers, tests/models/backbones the weights."""
TRIED: dict[str, Run | By | Read | Made | Installed | NotRun] = {
    "make search": Made("run_search.py search"),
    "make test": Made("-m pytest"),
    "make bench": Made("benchmarks/throughput.py"),
    "make docs": Made("-m sphinx"),
    "make reference": Made("docs/make_reference.py"),
    "python3 -m venv .venv": NotRun(
        "tests/newcomer.sh does, and it takes minutes with what is installed into it"
    ),
    "python -m pytest": NotRun("these are the tests"),
    "pip install *": Installed(),
    "npm install*": By(f"{WEB}::test_a_dropped_picture_gets_the_face_and_the_probabilities_of_predict"),
    "export FERPLUS_STORAGE=postgresql*": By(
        "tests/search/storages/test_postgres.py::test_the_server_is_away_for_twenty_seconds"
    ),
    "export FERPLUS_STORAGE=grpc:*": By(
        "tests/search/storages/test_grpc_proxy.py::test_a_worker_is_killed_and_the_proxy_is_away_for_a_while"
    ),
    "python -c 'import os, optuna; *": By(
        "tests/search/storages/test_grpc_proxy.py::test_a_worker_is_killed_and_the_proxy_is_away_for_a_while"
    ),
    "export KERAS_BACKEND=jax *": By(
        "tests/models/networks/test_adjustable.py::test_jax_trains_with_other_numbers_without_another_compilation"
    ),
    "eval *": By("tests/test_completion.py::test_bash_completes"),
    "ferplus-tuner completion fish | source": By("tests/test_completion.py::test_fish_completes"),
    "python docs/classify_onnx.py *": By(
        f"{EXPORT}::test_a_script_without_this_project_says_what_predict_says"
    ),
    "python -m http.server *": By(f"{WEB}::test_every_precision_runs"),
    "sha256sum -c SHA256SUMS": By(f"{FORMATS}::test_sums_card_and_signature_cover_every_file"),
    "python benchmarks/results.py": By(
        "tests/benchmarks/test_results.py::test_the_page_is_made_from_the_file"
    ),
    "python benchmarks/oracles.py --record *": By(f"{RECORDED}::test_a_study_of_ours_becomes_a_task"),
    "python benchmarks/oracles.py --curves *": By(
        f"{SIMULATOR}::test_the_command_compares_methods_and_goes_on_from_its_log"
    ),
    "*benchmarks/*.py*": Read("it measures for minutes to hours, or on a GPU"),
    "python run_search.py [COMMAND] [OPTIONS]": NotRun("how a command is written"),
    "python run_search.py search * --engine ray *": By(
        "tests/search/workers/test_ray.py::test_a_node_is_lost"
    ),
    "python run_search.py search * --gpus-per-trial *": By(
        "tests/models/training/test_replicas.py::test_a_trial_trains_and_continues_on_two_devices"
    ),
    "python run_search.py search * --warm-start first *": By(
        f"{WARM_START}::test_another_study_is_known_and_counts_for_nothing"
    ),
    "python run_search.py search * --warm-start known.csv": By(
        f"{WARM_START}::test_a_table_of_ones_own_has_the_spaces_defaults_for_what_it_does_not_name"
    ),
    # Measurements for a GPU: options, data, weights and storage are looked at, and the searches after them run whole.
    "python run_search.py search --data $DATA *": Run("--dry-run --weights none --runs-dir searched"),
    "python run_search.py search*": Run(SHORT_SEARCH),
    "python run_search.py": Run(SHORT_SEARCH),
    "python run_search.py check *": Run("--weights none --runs-dir searched"),
    "*python run_search.py worker *": Run("--workers 1"),
    "python run_search.py export": By(f"{EXPORT}::test_every_export_evaluates_to_the_reports_figures"),
    "python run_search.py export --format keras,onnx,saved_model,litert": By(
        f"{EXPORT}::test_every_export_evaluates_to_the_reports_figures"
    ),
    "python run_search.py export --ensemble *": By(
        f"{EXPORT}::test_an_ensemble_is_retrained_once_averaged_and_measured"
    ),
    "python run_search.py export *--precision int8*": By(
        f"{FORMATS}::test_a_smaller_precision_is_smaller_and_states_what_it_costs"
    ),
    "python run_search.py export --study S --format onnx --out DIR": By(f"{HERE}::place"),
    "python run_search.py export --checkpoint FILE.keras|FILE.hdf5": Run("--format h5-weights"),
    "python run_search.py retrain *": By(
        f"{EXPORT}::test_the_ledger_has_a_line_for_every_look_at_the_test_labels"
    ),
    "python run_search.py report * --format png": By(
        "tests/reports/writers/test_images.py::test_every_figure_that_has_something_to_show_is_a_picture"
    ),
    "python run_search.py dashboard*": By(
        "tests/search/console/test_dashboard.py::test_serves_the_study_until_interrupted"
    ),
    "python run_search.py demo*": Run("--port 0"),
    "python run_search.py *": Run(),
    "curl -s URL | python run_search.py predict - *": Run(),
    "README.md: runs/STUDY/config.json *": NotRun(
        "files, as in docs/reference.md, which tests/test_reference.py reads"
    ),
    "README.md: spaces/ *": NotRun("folders, as in docs/architecture.md"),
    "README.md: from search import tune, Study": By(f"{HERE}::test_the_python_of_the_readme_runs"),
    "README.md: study = tune(*": By(f"{HERE}::test_the_python_of_the_readme_runs"),
    "README.md: # my_space.py": By(f"{HERE}::place"),
    "README.md: from spaces.space import Space": By(f"{HERE}::place"),
    "api.md: *": By("tests/test_site.py::test_the_front_door_is_described"),
    "distributed.md: apiVersion: *": By(f"{HERE}::test_the_pods_of_the_manifest_are_workers"),
    "extending.md: *": By("tests/test_extending.py::test_an_option_is_checked_and_has_its_default"),
    "library.md: *": By("tests/search/test_library.py::test_the_examples_of_the_page"),
    "report.md: from pathlib import Path": By(f"{HERE}::test_the_notebook_of_the_report_runs"),
    "report.md: view = *": By(f"{HERE}::test_the_notebook_of_the_report_runs"),
    "search.md: full trainings *": NotRun("figures that benchmarks/oracles.py printed"),
    "serving.md: # faces.py": By(f"{HERE}::place"),
}
"""A command line, or PAGE: FIRST LINE of a block of other code, with * for anything -> how it is tried; the first that fits
counts. What fits none is a failure, and so is an entry that nothing fits."""


def entry_of(code: str) -> str | None:
    """The entry of TRIED that counts for `code`."""
    return next((entry for entry in TRIED if re.fullmatch(re.escape(entry).replace(r"\*", ".*"), code)), None)


def tried(kind: type) -> list[str]:
    """The command lines that are tried in this way."""
    return [line for line in commands() if isinstance(TRIED.get(entry_of(line) or ""), kind)]
