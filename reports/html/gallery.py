"""Faces to look at: the most confident errors, and some of each emotion."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ferplus_data.labels import EMOTIONS, VOTE_COLUMNS
from search.study.predictions import Predictions

ERRORS = 12
"""Errors of a split that are shown."""
OF_EACH = 2
"""Faces of each emotion that are shown of those recognised and of those not."""


@dataclass(frozen=True)
class Face:
    """A face with what people and the model said of it.

    Attributes:
        picture: PNG as a data URL.
        row: which image of the data set it is.
        label, predicted: emotions; the label is the annotators' majority.
        confidence: the predicted emotion's probability, 0 to 1.
        in_training: whether training had the same photograph.
        bars: (name, votes, share of the votes, probability) for each of the ten columns; the model has no probability
            for unknown and NF (not a face).
    """

    picture: str
    row: int
    label: str
    predicted: str
    confidence: float
    in_training: bool
    bars: tuple[tuple[str, int, float, float | None], ...]

    @property
    def right(self) -> bool:
        """Whether the prediction is the label."""
        return self.label == self.predicted


def confident_errors(predictions: Predictions) -> list[Face]:
    """The ERRORS rows that the model was surest of among those it got wrong, the surest first."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    return [_face(predictions, index) for index in _surest(predictions, wrong)[:ERRORS]]


def of_each_emotion(predictions: Predictions) -> dict[str, list[Face]]:
    """Emotion -> up to OF_EACH faces recognised and OF_EACH not, the model's surest of either; emotions without a row have
    no entry."""
    chosen: dict[str, list[Face]] = {}
    right = predictions.predicted == predictions.labels
    for index, emotion in enumerate(EMOTIONS):
        own = predictions.labels == index
        picked = [
            row
            for mask in (own & right, own & ~right)
            for row in _surest(predictions, np.flatnonzero(mask))[:OF_EACH]
        ]
        if picked:
            chosen[emotion] = [_face(predictions, row) for row in picked]
    return chosen


def _surest(predictions: Predictions, rows: np.ndarray) -> list[int]:
    confidence = predictions.probabilities[rows].max(axis=1)
    return rows[np.argsort(-confidence, kind="stable")].tolist()


def _face(predictions: Predictions, index: int) -> Face:
    votes = predictions.votes[index].astype(int)
    probabilities = predictions.probabilities[index]
    total = max(1, int(votes.sum()))
    bars = tuple(
        (name, int(votes[c]), int(votes[c]) / total, float(probabilities[c]) if c < len(EMOTIONS) else None)
        for c, name in enumerate(VOTE_COLUMNS)
    )
    return Face(
        _png(predictions.images[index]),
        int(predictions.rows[index]),
        EMOTIONS[int(predictions.labels[index])],
        EMOTIONS[int(probabilities.argmax())],
        float(probabilities.max()),
        bool(predictions.in_training[index]),
        bars,
    )


def _png(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
