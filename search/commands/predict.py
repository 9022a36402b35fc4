"""predict: the expressions of pictures."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import attrs

from ferplus_data.console import say
from ferplus_data.errors import InputError
from search.commands.command_line import DONE, SOME_REFUSED
from search.commands.evaluate import CheckpointOptions
from search.commands.study_options import start
from search.study import options as o
from search.study.options import option
from search.user_functions import load_function

EXAMPLES = (
    "predict FACE.png",
    "predict PHOTO.jpg --detect",
    "predict FOLDER --format csv",
    "predict --checkpoint model.onnx - < FACE.png",
)


@attrs.frozen(kw_only=True, slots=False)
class PredictOptions(CheckpointOptions):
    """Which pictures, by which model."""

    images: list[Path] = option(
        o.paths("IMAGE"),
        "Pictures of one face each, folders of them, or - for one on standard input.",
        o.INPUT,
        positional=True,
    )
    crop: str | None = option(
        o.text("FILE.py:FUNCTION"),
        "Function that takes and returns a PIL image, to find the face in it.",
        o.INPUT,
        unless_given="the picture is the face",
    )
    detect: bool = option(
        o.FLAG, "Find the faces in each picture, and say the expression of each.", o.INPUT, default=False
    )
    format: str = option(
        o.choice("models.serving.prediction_formats.FORMATS"),
        "How a prediction is shown.",
        o.OUTPUT,
        default="text",
    )

    def __attrs_post_init__(self) -> None:
        if self.detect and self.crop:
            raise InputError("--detect: expected without --crop, which finds the face too, found both")


def run(options: PredictOptions) -> int:
    """Name the expression of each picture, with its probabilities."""
    start(options)
    from models.serving.detection import face_detector
    from models.serving.prediction import find_images, predict, read_faces
    from models.serving.prediction_formats import FORMATS
    from models.serving.runtimes import open_classifier

    crop = load_function(options.crop, "--crop") if options.crop else None
    if options.crop and not callable(crop):
        raise InputError(f"--crop {options.crop}: expected a function, found {type(crop).__name__}")
    alone = len(options.images) == 1 and not options.images[0].is_dir()
    skipped: list[InputError] = []

    def skip(error: InputError) -> None:
        if alone:
            raise error  # there is nothing else to go on with
        skipped.append(error)
        say(f"skipped: {' '.join(str(error).split())}", stream=sys.stderr)

    detect = face_detector() if options.detect else None
    faces = read_faces(find_images(options.images, skip), crop, skip, detect)
    # Before the model, which takes longer to read than a mistake to tell.
    first = list(itertools.islice(faces, 1))
    classify = open_classifier(options.model)
    for line in FORMATS[options.format](predict(classify, itertools.chain(first, faces))):
        say(line)
    return SOME_REFUSED if skipped else DONE
