"""Pictures of the figures, by Kaleido in a real browser."""

from __future__ import annotations

import importlib.util

import pytest
from PIL import Image

from ferplus_data.errors import InputError
from ferplus_data.files.owned import OwnFolder
from reports import output
from reports.figures import FIGURES
from reports.writers import images
from reports.writers.images import write_png

needs_kaleido = pytest.mark.skipif(
    importlib.util.find_spec("kaleido") is None, reason="kaleido is not installed"
)


@needs_kaleido
def test_every_figure_that_has_something_to_show_is_a_picture(chromium, study_of, tmp_path, monkeypatch):
    chosen = ("learning_curves", "worker_timeline", "confusion_test", "importances")
    monkeypatch.setattr(images, "FIGURES", {name: FIGURES[name] for name in chosen})
    view = study_of("one trial")
    folder = output(tmp_path / "runs" / "report.html", "png")
    earlier = OwnFolder(folder)
    with earlier.filling() as work:
        (work / "of an earlier call.png").touch()
        earlier.put(work, ["of an earlier call.png"])
    (folder / "mine.png").write_bytes(b"mine")
    assert write_png(view, folder) == folder
    drawn = [path for path in folder.glob("*.png") if path.name != "mine.png"]
    assert {path.stem for path in drawn} == set(chosen) - {"importances"}
    assert (folder / "mine.png").read_bytes() == b"mine"
    for path in drawn:
        with Image.open(path) as picture:
            colours = picture.convert("RGB").getcolors(1 << 24)
            assert picture.width == 2000 and colours is not None and len(colours) > 20
    assert [path.name for path in folder.parent.iterdir()] == ["report-png"]


def test_without_kaleido_it_says_how_to_get_it(study_of, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="requirements-png.txt"):
        write_png(study_of("one trial"), tmp_path / "report-png")
    assert list(tmp_path.iterdir()) == []
