"""The page in a real browser: it draws, sorts, filters, fits, prints and reloads, and asks no host for anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ferplus_data.dataset import load_dataset
from ferplus_data.files import write_json
from ferplus_data.summary import summarise
from models.metrics.scores import score
from reports.analysis.commands import commands, trial_command
from reports.figures import FIGURES
from reports.html.page import write_report
from search.storages.registry import open_storage, open_study
from search.study.predictions import SPLITS, Predictions, write_predictions
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import StudyView, read_study

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield opened
        opened.close()


class Visit:
    """A page that is open, and all that went wrong on it: console errors, and requests to any host."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page, self.wrong = page, []
        page.on(
            "console",
            lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "request",
            lambda sent: (
                None if sent.url.startswith(("file:", "data:", "blob:")) else self.wrong.append(sent.url)
            ),
        )
        page.goto(path.as_uri())

    def draw_all(self) -> int:
        """Open every part, scroll to every figure and wait until it is drawn; their number."""
        self.page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        plots = self.page.locator(".plot")
        for index in range(plots.count()):
            plots.nth(index).scroll_into_view_if_needed()
            self.page.wait_for_function(
                "i => ['drawn', 'failed'].includes(document.querySelectorAll('.plot')[i].dataset.state)",
                arg=index,
            )
        assert self.page.locator(".plot[data-state=drawn] .main-svg").count() >= plots.count()
        return plots.count()

    def column(self, number: int) -> list[str]:
        """The visible texts of a column of the table of trials."""
        cells = self.page.locator(f"table.trials tbody tr:not(.detail):not([hidden]) > :nth-child({number})")
        return [text.strip() for text in cells.all_inner_texts()]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    pages: list[Page] = []

    def open_page(path: Path, width: int = 1400, scheme: str = "light") -> Visit:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        return Visit(page, path)

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, study_of: Callable[..., StudyView]) -> StudyView:
    """A study as the program leaves it, read back from its storage and files: the trials of the synthetic one, and
    predictions on the demo's faces."""
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "faces")
    run.create()
    synthetic = study_of("full", directory=run.path)
    dataset = load_dataset("demo", subset=0.3)
    of = {"train": dataset.train, "val": dataset.val, "test": dataset.test.reveal_labels()}
    rng = np.random.default_rng(0)
    said = {}
    for split in SPLITS:
        labels = of[split].labels
        logits = rng.normal(0, 1, (len(labels), 8)) + 2.5 * np.eye(8)[labels]
        said[split] = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    write_predictions(run.predictions, {s: Predictions.of(said[s], of[s]) for s in SPLITS})
    figures = {split: score(said[split], of[split]) for split in SPLITS}
    metrics = {
        **synthetic.metrics,
        **{f"{split}_accuracy": figures[split]["accuracy"] for split in SPLITS},
        **{f"n_{split}": figures[split]["n"] for split in SPLITS},
        **{key: {s: figures[s][key] for s in SPLITS} for key in ("per_class", "confusion", "calibration")},
    }
    write_json(run.metrics, metrics)
    counts = {split: of[split].class_counts.tolist() for split in ("train", *SPLITS)}
    splits = {split: summarise(of[split]) for split in ("train", *SPLITS)}
    write_json(
        run.config,
        {
            **synthetic.config,
            "data": {"source": "demo", "fingerprint": "0", "counts": counts, "splits": splits},
        },
    )
    for seed, history in synthetic.histories.items():
        run.retraining(7, int(seed.split()[1])).mkdir(parents=True)
        history.to_csv(run.retraining(7, int(seed.split()[1])) / "history.csv", index=False)
    study = open_study(open_storage(storage_url(run, None)), run.study).study
    taken: dict[str, list] = {}
    for trial in synthetic.trials:
        for name, value in trial.hyperparameters.items():
            taken[name] = [*dict.fromkeys([*taken.get(name, []), value])]
    states = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    for trial in synthetic.trials:
        attributes = {"worker": trial.worker, "times": trial.times}
        recorded = optuna.trial.create_trial(
            state=getattr(optuna.trial.TrialState, states[trial.state]),
            value=trial.score if trial.state == "complete" else None,
            intermediate_values=trial.values,
            params=trial.hyperparameters,
            distributions={
                name: optuna.distributions.CategoricalDistribution(taken[name])
                for name in trial.hyperparameters
            },
            user_attrs={**attributes, "prefix_cache": trial.prefix_cache}
            | ({"error": trial.error} if trial.error else {}),
        )
        study.add_trial(recorded)
    return read_study(run)


@pytest.fixture(scope="module")
def report(recorded: StudyView) -> Path:
    return write_report(recorded, recorded.directory / "report.html")


def test_the_recorded_study_reads_back(recorded: StudyView) -> None:
    assert len(recorded.trials) == 60 and set(recorded.predictions) == set(SPLITS)
    assert recorded.finished and not recorded.running
    assert (
        recorded.trials[0].times["training"] in (12 * 18.0, 12 * 34.0)
        and recorded.trials[0].prefix_cache["used"]
    )
    assert list(recorded.histories) == ["seed 0", "seed 1", "seed 2"]


def brightness(colour: str) -> int:
    """Sum of the three numbers of a CSS rgb(...) colour, 0 to 765."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


@pytest.mark.parametrize("width", [1400, 390])
def test_draws_every_figure_in_both_schemes_without_error_request_or_overflow(
    width: int, report: Path, recorded: StudyView, visit: Callable[..., Visit]
) -> None:
    opened = visit(report, width)
    opened.page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    height = opened.page.evaluate("document.documentElement.scrollHeight")
    assert opened.draw_all() == sum(entry.draw(recorded) is not None for entry in FIGURES.values())
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        page, text = "getComputedStyle(document.body).backgroundColor", ".plot .xtick text"
        opened.page.wait_for_function(  # the figures follow the scheme a moment later
            f"s => getComputedStyle(document.querySelector('{text}')).fill.startsWith(s == 'light' ? 'rgb(28' : 'rgb(228')",
            arg=scheme,
        )
        assert (brightness(opened.page.evaluate(page)) > 380) == (scheme == "light")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.evaluate("document.documentElement.scrollHeight") == height, "the page jumped"
    assert opened.wrong == []


BUTTONS = {"Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Autoscale", "Reset axes"}


def test_no_figure_offers_to_upload_itself(report: Path, visit: Callable[..., Visit]) -> None:
    opened = visit(report)
    drawn = opened.draw_all()
    bars = opened.page.locator(".plot .modebar").all()
    assert len(bars) == drawn
    for bar in bars:
        names = {one.get_attribute("data-title") for one in bar.locator(".modebar-btn").all()}
        assert "Download plot as a PNG" in names and names <= BUTTONS


@pytest.mark.parametrize("name", ["optimisation_history", "freeze_rate_map", "confusion_test", "per_class"])
def test_a_figure_that_leaves_the_page_offers_no_upload_either(
    name: str, study_of: Callable[..., StudyView], tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    drawn = FIGURES[name].draw(study_of("full"))
    assert drawn is not None
    drawn.write_html(tmp_path / "figure.html", include_plotlyjs=True)
    opened = visit(tmp_path / "figure.html")
    opened.page.wait_for_selector(".modebar-btn", state="attached")
    names = {one.get_attribute("data-title") for one in opened.page.locator(".modebar-btn").all()}
    names = {name for name in names if not name.startswith("Produced with Plotly.js")}  # the logo, a link
    assert "Download plot as a PNG" in names and names <= BUTTONS


def test_a_page_that_opens_dark_is_dark(report: Path, visit: Callable[..., Visit]) -> None:
    opened = visit(report, 390, "dark")
    opened.page.locator("#figure-worker_timeline .plot").scroll_into_view_if_needed()
    opened.page.wait_for_selector("#figure-worker_timeline .plot[data-state=drawn]")
    text = "getComputedStyle(document.querySelector('#figure-worker_timeline .xtick text')).fill"
    assert brightness(opened.page.evaluate("getComputedStyle(document.body).backgroundColor")) < 200
    assert brightness(opened.page.evaluate(text)) > 600
    assert opened.wrong == []


def test_the_table_sorts(report: Path, recorded: StudyView, visit: Callable[..., Visit]) -> None:
    opened = visit(report)
    scores = {str(t.number): t.score for t in recorded.trials}
    heading = opened.page.locator("th[data-name=score] button")
    heading.click()
    found = [scores[number] for number in opened.column(1)]
    assert found[0] == max(t.score for t in recorded.trials if t.score is not None)
    valued = [value for value in found if value is not None]
    assert valued == sorted(valued, reverse=True)
    assert found[len(valued) :] == [None] * (len(found) - len(valued))
    heading.click()
    again = [scores[number] for number in opened.column(1)]
    assert again[: len(valued)] == sorted(valued)
    assert opened.page.locator("th[aria-sort=ascending]").inner_text().startswith("score")
    opened.page.locator("th[data-name=state] button").click()
    assert opened.column(2) == sorted(t.state for t in recorded.trials)


def test_of_a_loss_the_lowest_score_comes_first_and_curves_are_read_in_nats(
    study_of: Callable[..., StudyView],
    as_loss: Callable[[StudyView], StudyView],
    tmp_path: Path,
    visit: Callable[..., Visit],
) -> None:
    view = as_loss(study_of("running"))
    opened = visit(write_report(view, tmp_path / "report.html"))
    opened.page.locator("th[data-name=score] button").click()
    scores = sorted(trial.score for trial in view.trials if trial.score is not None)
    assert opened.column(3)[: len(scores)] == [f"{score:.4f}" for score in scores]
    best = min((t for t in view.trials if t.score is not None), key=lambda trial: trial.score or 0.0)
    opened.page.locator(f"tr[data-trial='{best.number}'] button").click()
    label = opened.page.locator("tr.detail svg").get_attribute("aria-label") or ""
    low, high = min(best.values.values()), max(best.values.values())
    assert label == (
        f"Validation NLL (majority label): {len(best.values)} epochs to {low:.3f}; the axis goes from {low:.3f} to {high:.3f}"
    )
    opened.page.fill("#trial-filter", f"score<={scores[4]}")
    assert len(opened.column(1)) == 5
    opened.draw_all()
    assert opened.wrong == []


FILTERS = {
    "senet50 COSINE": lambda t: (
        t.hyperparameters["backbone"] == "senet50" and t.hyperparameters["lr_policy"] == "cosine"
    ),
    "learning_rate<1e-3 dropout>=0.3": lambda t: (
        t.hyperparameters["learning_rate"] < 1e-3 and t.hyperparameters["dropout"] >= 0.3
    ),
    "score>80%": lambda t: t.score is not None and t.score > 0.8,
    "lr_policy=step": lambda t: t.hyperparameters["lr_policy"] == "step",
    "warmup>=2": lambda t: t.hyperparameters.get("warmup_epochs", -1) >= 2,
    "trial!=3 epochs=12": lambda t: t.number != 3 and len(t.values) == 12,
}


def test_the_table_filters_by_words_numbers_and_state(
    report: Path, recorded: StudyView, visit: Callable[..., Visit]
) -> None:
    opened = visit(report)
    for typed, fits in FILTERS.items():
        opened.page.fill("#trial-filter", typed)
        chosen = [t for t in recorded.trials if fits(t)]
        assert chosen and sorted(map(int, opened.column(1))) == [t.number for t in chosen], typed
    opened.page.fill("#trial-filter", "senet50 cosine")
    opened.page.select_option("#trial-state", "pruned")
    pruned = [t.number for t in recorded.trials if FILTERS["senet50 COSINE"](t) and t.state == "pruned"]
    assert sorted(map(int, opened.column(1))) == pruned
    assert opened.page.inner_text("#trial-count") == f"{len(pruned)} of 60 trials"
    opened.page.fill("#trial-filter", "colour<3")
    assert opened.page.inner_text("#trial-count") == "There is no column colour."


def test_two_trials_side_by_side(report: Path, recorded: StudyView, visit: Callable[..., Visit]) -> None:
    opened = visit(report)
    one, other = [t for t in recorded.trials if t.state == "complete"][:2]
    for trial in (one, other):
        opened.page.get_by_label(f"Compare trial {trial.number}", exact=True).check()
    opened.page.locator("#trial-compare").click()
    panel = opened.page.locator("#comparison")
    assert panel.locator("h3").inner_text() == f"Trials {one.number} and {other.number}"
    names = {*one.hyperparameters, *other.hyperparameters}
    differ = {n for n in names if one.hyperparameters.get(n) != other.hyperparameters.get(n)}
    assert set(panel.locator("tbody th").all_inner_texts()) == differ
    assert panel.locator("polyline").count() == 2
    assert opened.wrong == []


def test_a_link_or_a_point_leads_to_its_trial(
    report: Path, recorded: StudyView, visit: Callable[..., Visit]
) -> None:
    opened = visit(report)
    failed = next(t for t in recorded.trials if t.state == "failed")
    opened.page.fill("#trial-filter", "score>0.99")
    opened.page.evaluate(f"location.hash = 'trial-{failed.number}'")
    opened.page.wait_for_selector(f"#trial-{failed.number} + tr.detail")
    assert opened.page.locator(f"#trial-{failed.number}").is_visible()
    plot = opened.page.locator("#figure-optimisation_history .plot")
    plot.scroll_into_view_if_needed()
    opened.page.wait_for_selector("#figure-optimisation_history .plot[data-state=drawn]")
    number = opened.page.evaluate(
        """() => {
            const plot = document.querySelector("#figure-optimisation_history .plot");
            const trace = plot.data.find((one) => one.name === "complete");
            plot.emit("plotly_click", {points: [{data: trace, customdata: trace.customdata[1]}]});
            return trace.customdata[1][0];
        }"""
    )
    opened.page.wait_for_selector(f"#trial-{number} + tr.detail")
    assert opened.wrong == []


def test_a_row_opens_to_hyperparameters_curve_error_and_command(
    report: Path, recorded: StudyView, visit: Callable[..., Visit]
) -> None:
    opened = visit(report)
    complete = next(t for t in recorded.trials if t.state == "complete")
    failed = next(t for t in recorded.trials if t.state == "failed")
    opened.page.locator(f"tr[data-trial='{complete.number}'] button").click()
    assert (
        opened.page.locator(f"tr[data-trial='{complete.number}'] button").get_attribute("aria-expanded")
        == "true"
    )
    detail = opened.page.locator(f"tr[data-trial='{complete.number}'] + tr.detail")
    for name in complete.hyperparameters:
        assert name in detail.inner_text()
    assert detail.locator("circle").count() == len(complete.values)
    command = detail.locator("code").inner_text()
    assert f"--study faces-trial-{complete.number}" in command
    assert f"--set learning_rate={complete.hyperparameters['learning_rate']}" in command
    opened.page.locator(f"tr[data-trial='{failed.number}'] button").click()
    assert (
        "ResourceExhaustedError"
        in opened.page.locator(f"tr[data-trial='{failed.number}'] + tr.detail pre").inner_text()
    )
    opened.page.locator("th[data-name=score] button").click()
    assert opened.page.locator(f"tr[data-trial='{failed.number}'] + tr.detail").count() == 1
    opened.page.locator(f"tr[data-trial='{failed.number}'] button").click()
    assert opened.page.locator("tr.detail").count() == 1
    assert opened.wrong == []


COPIED = "navigator.clipboard.readText()"
SELECTED = "getSelection().toString()"


@pytest.mark.parametrize(("said", "left"), [("Copied", COPIED), ("Selected", SELECTED)])
def test_a_command_is_copied_and_selected_where_the_browser_keeps_the_clipboard(
    said: str, left: str, report: Path, recorded: StudyView, visit: Callable[..., Visit]
) -> None:
    opened = visit(report)
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if left == SELECTED:
        opened.page.evaluate("() => {navigator.clipboard.writeText = () => Promise.reject(new Error('no'));}")
    opened.page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    complete = next(t for t in recorded.trials if t.state == "complete")
    opened.page.locator(f"tr[data-trial='{complete.number}'] button").click()
    lines = {**commands(recorded), "Train this configuration again": trial_command(recorded, complete)}
    assert opened.page.locator(".command").count() == len(lines)
    for purpose, line in lines.items():
        command = opened.page.locator(".command").filter(has_text=purpose)
        command.get_by_role("button", name="Copy").click()
        command.get_by_role("button", name=said).wait_for()
        assert opened.page.evaluate(left).strip() == line
    opened.page.wait_for_function(
        "() => Array.from(document.querySelectorAll('.copy')).every((one) => one.textContent === 'Copy')"
    )
    assert opened.wrong == []


def test_figures_are_drawn_when_they_come_near_and_all_of_them_for_printing(
    report: Path, visit: Callable[..., Visit]
) -> None:
    opened = visit(report)
    opened.page.locator(".plot").first.scroll_into_view_if_needed()
    opened.page.wait_for_selector(".plot[data-state=drawn]")
    assert opened.page.locator(".plot:not([data-state])").count() > 10
    printed = opened.page.pdf(format="A4")
    assert 4 <= printed.count(b"/Type /Page\n") <= 12
    assert opened.page.locator("details[open] .plot:not([data-state=drawn])").count() == 0
    assert opened.wrong == []


def test_a_live_page_comes_back_as_it_was_left(
    study_of: Callable[..., StudyView], tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    path = write_report(study_of("running"), tmp_path / "report.html", refresh=600)
    opened = visit(path)
    opened.page.fill("#trial-filter", "cosine")
    opened.page.locator("th[data-name=score] button").click()
    # The page's own scrolling takes its time.
    opened.page.evaluate("scrollTo({top: 1500, behavior: 'instant'})")
    shown = opened.column(1)
    opened.page.reload()
    assert opened.page.evaluate("scrollY") == 1500
    assert opened.page.input_value("#trial-filter") == "cosine" and opened.column(1) == shown
    assert opened.wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (1400, "dark"), (390, "dark")])
def test_axe_finds_nothing(width: int, scheme: str, report: Path, visit: Callable[..., Visit]) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    opened = visit(report, width, scheme)
    opened.page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    opened.page.locator("table.trials tbody button").first.click()
    found = axe.Axe().run(opened.page, options={"resultTypes": ["violations"]})
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found.response["violations"]] == []


@pytest.mark.parametrize("kind", ["one trial", "none finished", "only failures"])
def test_every_state_of_a_study_is_a_page_without_errors(
    kind: str, study_of: Callable[..., StudyView], tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    opened = visit(write_report(study_of(kind), tmp_path / "report.html"), 390)
    opened.draw_all()
    assert opened.wrong == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_a_user_typed_is_text(
    study_of: Callable[..., StudyView], tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    view = study_of("running")
    attack = "<img src=x onerror=document.title='broken'></script><b>"
    trials = [
        replace(t, hyperparameters={**t.hyperparameters, attack: attack + str(t.number % 2)}, error=attack)
        for t in view.trials
    ]
    opened = visit(write_report(replace(view, name=attack, trials=trials), tmp_path / "report.html"))
    for button in opened.page.locator("table.trials tbody button").all()[:3]:
        button.click()
    opened.page.locator("#figure-parallel_coordinates .plot").scroll_into_view_if_needed()
    opened.page.wait_for_selector("#figure-parallel_coordinates .plot[data-state=drawn]")
    assert opened.page.locator("img").count() == 0 and not opened.page.title().startswith("broken")
    assert opened.wrong == []


@pytest.fixture(scope="module")
def thousand(
    study_of: Callable[..., StudyView], tmp_path_factory: pytest.TempPathFactory
) -> tuple[StudyView, Path]:
    view = study_of("full", trials=1000)
    return view, write_report(view, tmp_path_factory.mktemp("thousand") / "report.html")


def test_a_thousand_trials_stay_under_twelve_megabytes(thousand: tuple[StudyView, Path]) -> None:
    _, path = thousand
    assert path.stat().st_size < 12e6
    assert path.read_text(encoding="utf-8").count('class="state"') == 1000


def test_a_thousand_trials_open_and_answer(
    thousand: tuple[StudyView, Path], visit: Callable[..., Visit]
) -> None:
    view, path = thousand
    opened = visit(path)
    opened.page.locator("th[data-name=score] button").click()
    best = max((t for t in view.trials if t.score is not None), key=lambda t: t.score)
    first = opened.page.locator("table.trials tbody tr >> nth=0")
    assert first.get_attribute("data-trial") == str(best.number)
    opened.page.fill("#trial-filter", "senet50")
    senet = sum(t.hyperparameters["backbone"] == "senet50" for t in view.trials)
    assert opened.page.inner_text("#trial-count") == f"{senet} of 1,000 trials, the first 100 shown"
    assert len(opened.column(1)) == 100
    opened.page.get_by_role("button", name="Show all").click()
    assert len(opened.column(1)) == senet
    opened.page.fill("#trial-filter", "")
    for name in ("optimisation_history", "learning_curves", "worker_timeline", "parallel_coordinates"):
        opened.page.locator(f"#figure-{name} .plot").scroll_into_view_if_needed()
        opened.page.wait_for_selector(f"#figure-{name} .plot[data-state=drawn]")
    assert opened.wrong == []


def test_a_copy_of_the_page_needs_nothing_beside_it(
    report: Path, tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    opened = visit(Path(shutil.copy(report, tmp_path / "copied.html")), 390, "dark")
    assert opened.page.locator(".face img").count() > 20
    broken = "Array.from(document.images).filter((i) => !i.complete || !i.naturalWidth).length"
    opened.page.locator(".face img").last.scroll_into_view_if_needed()
    assert opened.page.evaluate(broken) == 0
    assert opened.wrong == []
