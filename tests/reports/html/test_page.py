"""The report page on every kind of study."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html import escape, unescape

import numpy as np
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from ferplus_data.labels import EMOTIONS, soft_targets
from reports.analysis.annotators import agreement
from reports.analysis.trials import STATES
from reports.analysis.workers import written_seconds
from reports.figures import FIGURES
from reports.figures.style import ACCENT, CLASS_COLOURS, STATE_COLOURS
from reports.html.gallery import ERRORS, OF_EACH, confident_errors, of_each_emotion
from reports.html.page import SECTIONS, TEMPLATES, render, write_report
from reports.html.trial_table import trial_table
from search.study.predictions import Predictions

ATTACK = "<script>alert(1)</script>"


def without_plotly(page: str) -> str:
    """The page but for plotly.js, which names hosts for map tiles that no figure here uses."""
    before, found, after = page.partition(get_plotlyjs())
    assert found, "plotly.js is not inlined unchanged"
    return before + after


def visible(page: str) -> str:
    """The page's text without scripts and tags, white space collapsed."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", without_plotly(page), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_has_every_section_in_order_and_links_to_it(view):
    page = without_plotly(render(view))
    places = [page.index(f'<section id="{section}"') for section in SECTIONS]
    assert places == sorted(places)
    for section, title in SECTIONS.items():
        assert f'<a href="#{section}">{title}</a>' in page


def test_shows_every_figure_or_says_why_not(view):
    page = without_plotly(render(view))
    text = visible(render(view))
    for name, entry in FIGURES.items():
        drawn = entry.draw(view)
        assert (f'id="figure-{name}"' in page) == (drawn is not None)
        if drawn is None:
            assert re.search(
                rf"Without a figure: [^.]*{re.escape(entry.title)}[^.]*\. {re.escape(entry.empty)}", text
            )
        else:
            block = page.split(f'id="figure-{name}"')[1].split("</figure>")[0]
            assert (
                f'aria-label="{escape(drawn.layout.meta["shows"], quote=True)}"'.replace("&#x27;", "&#39;")
                in block
            )


def test_asks_no_host_for_anything(view):
    page = without_plotly(render(view))
    assert page.count(get_plotlyjs()) == 0
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:image/png;base64,)[^#"'\s]""", page)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page and "connect-src" not in page and "unsafe-eval" not in page


def style_of(page: str) -> str:
    return page.split("<style>")[1].split("</style>")[0]


def test_a_state_has_one_colour_on_the_page_and_in_the_figures(study_of):
    style = style_of(render(study_of("no trials")))
    assert set(STATE_COLOURS) == set(STATES)
    for state, colour in STATE_COLOURS.items():
        assert re.findall(rf"--{state}: ([^;]+);", style) == [colour]
        assert re.findall(rf"\.dot\.{state} {{ background: ([^;]+);", style) == [f"var(--{state})"]


@pytest.mark.parametrize("colour", sorted({*STATE_COLOURS.values(), *CLASS_COLOURS, ACCENT}))
def test_a_colour_of_the_figures_is_seen_on_a_light_and_on_a_dark_page(colour):
    def luminance(of):
        parts = [int(of[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = re.findall(r"--page: (#\w{6});", (TEMPLATES / "report.css").read_text(encoding="utf-8"))
    for page in (light, dark):
        darker, brighter = sorted((luminance(colour), luminance(page)))
        assert (brighter + 0.05) / (darker + 0.05) >= 3  # WCAG 2's least, for what is no text


STATEMENTS = {
    "full": "was retrained as the best of 60 trials and reached",
    "running": "it has not been retrained, so there is no test accuracy yet",
    "one trial": "Trial 0 was retrained as the best of 1 trial and reached",
    "none finished": "No trial is complete yet. 0 of 60 trials have ended, 2 running.",
    "only failures": "No result: all 4 trials failed.",
    "no trials": "No trial has started yet",
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_says_plainly_how_far_the_study_is(kind, study_of):
    text = visible(render(study_of(kind)))
    assert STATEMENTS[kind] in text
    assert ("Nothing can be claimed about test accuracy yet" in text) == (kind not in ("full", "one trial"))


def test_numbers_of_the_result_stand_on_the_page(study_of):
    view = study_of("full")
    page = render(view)
    text = visible(page)
    for key in (
        "val_accuracy",
        "test_accuracy",
        "val_accuracy_new_photographs",
        "test_accuracy_new_photographs",
    ):
        assert f"{view.metrics[key]:.2%}" in text
    assert "3,275" in text and "3,018" in text
    assert "mean" in text and "over 3 seeds" in text
    assert f"ResNet50 VGGFace2 88.0% 86.5% {view.metrics['test_accuracy']:.1%} yes" in text
    assert "The honest accuracy. The test accuracy of the saved model, " in text
    diagonal = view.metrics["confusion"]["test"][0][0]
    assert f'"{diagonal}\\u003cbr\\u003e' in page
    for row in view.metrics["per_class"]["test"]:
        assert f"{row['emotion']} {row['precision']:.1%} {row['recall']:.1%} {row['f1']:.1%}" in text


def test_lists_every_trial_with_its_state_and_error(study_of):
    view = study_of("full")
    page = without_plotly(render(view))
    table = page.split('<table class="trials">')[1].split("</table>")[0]
    assert table.count("<tr") == 1 + len(view.trials)
    failed = sum(trial.state == "failed" for trial in view.trials)
    assert failed and table.count("ResourceExhaustedError: out of memory") == failed
    assert "Traceback" not in table


def test_the_appendix_tells_durations_as_people_write_them(study_of):
    view = study_of("full")
    arguments = {**view.config["arguments"], "timeout": 10_800.0, "grace": 120.0}
    text = visible(render(replace(view, config={**view.config, "arguments": arguments})))
    assert "timeout 3 h " in text and "grace 2 min " in text


def test_escapes_what_a_user_typed(study_of):
    view = study_of("full")
    trials = [
        replace(t, hyperparameters={**t.hyperparameters, ATTACK: ATTACK + str(i)}, error=ATTACK)
        for i, t in enumerate(view.trials)
    ]
    config = {
        **view.config,
        "arguments": {**view.config["arguments"], "data": ATTACK, "pins": {ATTACK: ATTACK}},
    }
    metrics = {**view.metrics, "hyperparameters": {ATTACK: ATTACK}}
    histories = {ATTACK: view.histories["seed 0"]}
    page = without_plotly(
        render(replace(view, name=ATTACK, trials=trials, config=config, metrics=metrics, histories=histories))
    )
    assert "<script>alert" not in page
    assert "</script><" not in re.sub(r"</script>\s*(</div>|<script>|</body>)", "", page)
    assert page.count("<script") == page.count("</script>") == 3 + page.count('class="plot"')
    assert ATTACK in unescape(page)


def test_keeps_storage_passwords_out(study_of):
    view = study_of("running")
    arguments = {**view.config["arguments"], "storage": "postgresql://ann:s3cret@db.example:5432/studies"}
    trials = [replace(view.trials[2], error="cannot reach postgresql://ann:s3cret@db.example/studies")]
    page = render(replace(view, config={**view.config, "arguments": arguments}, trials=trials))
    assert "s3cret" not in page
    assert "postgresql://ann:***@db.example" in unescape(page)


def test_survives_a_run_directory_that_records_little(study_of):
    bare = replace(study_of("full"), config={}, metrics={"trial": 3, "hyperparameters": {}})
    assert "The run recorded no class counts." in render(bare)


def test_writes_the_whole_file_or_leaves_the_old_one(study_of, tmp_path, monkeypatch):
    path = tmp_path / "runs" / "faces" / "report.html"
    assert write_report(study_of("full"), path) == path
    first = path.read_text(encoding="utf-8")
    assert first.startswith("<!doctype html>") and first.rstrip().endswith("</html>")

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_report(study_of("running"), path)
    assert path.read_text(encoding="utf-8") == first
    assert [entry.name for entry in path.parent.glob("*report.html*")] == ["report.html"]


def test_reloads_itself_only_when_it_will_be_written_again(study_of):
    view = study_of("running")
    assert '<meta http-equiv="refresh"' not in without_plotly(render(view))
    live = render(view, refresh=15)
    assert '<meta http-equiv="refresh" content="15">' in live and "every 15 seconds" in visible(live)


def test_the_first_screen_says_which_accuracy_is_the_honest_one(study_of):
    page = without_plotly(render(study_of("full")))
    head = page.split("</header>")[0]
    assert "The honest accuracy." in head and "nothing was chosen by it" in unescape(head)
    table = page.split("<h3>Accuracy</h3>")[1].split("</table>")[0]
    rows = [visible_text(row) for row in table.split("<tr")[2:]]
    for row in rows:
        assert ("chosen on these rows" in row) == (row.startswith("validation") and "class" not in row)


def visible_text(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition(">")[2])).split())


def test_the_table_is_best_first_with_a_column_for_what_varied(study_of):
    view = study_of("full")
    trials = [replace(t, hyperparameters={**t.hyperparameters, "image_size": 224}) for t in view.trials]
    found = trial_table(replace(view, trials=trials))
    assert found.constants == {"image_size": "224"}
    assert "freeze_before" in found.columns and "image_size" not in found.columns
    states = [row.trial.state for row in found.rows]
    assert states == sorted(states, key=["complete", "pruned", "failed"].index)
    scores = [row.trial.score for row in found.rows if row.trial.state == "complete"]
    assert scores == sorted(scores, reverse=True) and found.rows[0].best
    place = list(found.columns).index("learning_rate")
    for row in found.rows:
        assert row.cells[place].value == row.trial.hyperparameters["learning_rate"]


def test_a_page_tells_the_next_one_what_it_took(study_of, tmp_path):
    view = study_of("one trial", directory=tmp_path)
    path = write_report(view, tmp_path / "report.html")
    first = written_seconds(path)
    assert 0 < first < 60
    write_report(view, path)
    assert written_seconds(path) > first
    assert written_seconds(tmp_path / "none.html") == 0.0


def test_says_what_pruning_and_the_cache_saved(study_of):
    view = study_of("full")
    text = visible(render(view))
    pruned = [trial for trial in view.trials if trial.state == "pruned"]
    left = sum(12 - len(trial.values) for trial in pruned)
    assert f"stopped {len(pruned)} trials early and left out {left} of the" in text
    assert "at the 12.0 epochs of a complete one" in text
    assert f"was used by {sum(t.number % 3 == 0 for t in view.trials)} of 60 trials" in text
    bare = replace(view, trials=[replace(t, prefix_cache=None, times={}) for t in view.trials])
    assert "the trials recorded nothing about it" in visible(render(bare))


def test_shows_the_surest_errors_as_faces_with_votes_beside_probabilities(study_of):
    view = study_of("full")
    said = view.predictions["val"]
    wrong = said.predicted != said.labels
    surest = said.probabilities[wrong].max()
    faces = confident_errors(said)
    assert [face.confidence for face in faces] == sorted((f.confidence for f in faces), reverse=True)
    assert len(faces) == ERRORS and faces[0].confidence == surest and not any(face.right for face in faces)
    first = faces[0]
    png = Image.open(io.BytesIO(base64.b64decode(first.picture.partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(png), said.images[first.row])
    assert [bar[1] for bar in first.bars] == said.votes[first.row].tolist()
    np.testing.assert_allclose([bar[3] for bar in first.bars[:8]], said.probabilities[first.row])
    page = render(view)
    assert first.picture in page and page.count('class="face wrong"') >= 2 * ERRORS


def test_gallery_has_faces_of_every_emotion(study_of):
    found = of_each_emotion(study_of("full").predictions["val"])
    assert list(found) == list(EMOTIONS)
    for emotion, faces in found.items():
        assert all(face.label == emotion for face in faces)
        assert sum(face.right for face in faces) == OF_EACH


def test_agreement_with_the_annotators_by_hand():
    votes = np.array([[6, 4, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 9, 0]], np.uint8)
    probabilities = np.zeros((2, 8), np.float32)
    probabilities[0, :2] = 0.5, 0.5
    probabilities[1, 2] = 1
    labels = np.array([0, 2])
    said = Predictions(probabilities, labels, votes, labels, labels > 9, np.zeros((2, 48, 48), np.uint8))
    found = agreement("test", said)
    assert found.chance == pytest.approx((0.6 + 0.1) / 2) and found.majority == pytest.approx((0.6 + 0.1) / 2)
    assert found.annotators == pytest.approx(((30 + 12) / 90 + 72 / 90) / 2)
    assert found.in_votes == 0.5
    # The second row's single vote is removed, and no emotion is left: Barsoum's target is its majority label.
    assert found.overlap == pytest.approx((0.9 + target_of(votes[1:])[0, 2]) / 2)
    assert found.divergence >= 0


def target_of(votes):
    return soft_targets(votes)


def test_predictions_that_were_not_kept_are_said_to_be_missing(study_of):
    text = visible(render(replace(study_of("full"), predictions={})))
    assert "The predictions of the retrained model were not kept" in text
