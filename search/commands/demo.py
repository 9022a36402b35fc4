"""demo: a page to try a model on."""

from __future__ import annotations

from pathlib import Path

import attrs

from ferplus_data.console import say
from ferplus_data.errors import InputError
from search.commands.study_options import StudyOptions, start
from search.study import options as o
from search.study.options import option

EXAMPLES = ("demo", "demo runs/mine/best/model.keras", "demo model.onnx --port 8899")


@attrs.frozen(kw_only=True, slots=False)
class DemoOptions(StudyOptions):
    """Which model, and where."""

    model: list[Path] = option(
        o.paths("MODEL"),
        "A .keras, .onnx, .tflite, Keras 2 .h5 or SavedModel checkpoint; the study's best without one.",
        o.INPUT,
        positional=True,
        optional=True,
        default=(),
    )
    port: int = option(o.whole(0, 65535), "Port on this machine; 0: a free one.", o.OUTPUT, default=8000)

    def __attrs_post_init__(self) -> None:
        if len(self.model) > 1:
            raise InputError(f"demo: expected one model, found {len(self.model)}")


def run(options: DemoOptions) -> int:
    """Serve a page on this machine on which the model is tried: a picture dropped or chosen, or the camera; with
    requirements-detect.txt the faces in it are found."""
    checkpoint = options.model[0] if options.model else options.run.best_model
    start(options)
    from models.serving.demo_page.looking import Looker
    from models.serving.demo_page.server import serve
    from models.serving.detection import face_detector
    from models.serving.runtimes import open_classifier

    classify = open_classifier(checkpoint)
    try:
        detect = face_detector()
    except InputError:
        say("every picture is taken for a face; with requirements-detect.txt installed faces are found")
        detect = None
    try:
        serve(Looker(classify, detect), str(checkpoint), options.port, say=say)
    except KeyboardInterrupt:
        print()
    return 0
