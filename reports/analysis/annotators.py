"""How far the model agrees with the ten annotators, not only with their majority."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferplus_data.labels import EMOTIONS, soft_targets
from search.study.predictions import Predictions
from search.study.view import StudyView

SPLITS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Agreement:
    """Means over the rows of one split.

    Attributes:
        split: its name.
        n: its rows.
        chance: probability that the predicted emotion is that of an annotator drawn at random, 0 to 1.
        majority: the same for the majority label, which is the most that any prediction can reach.
        annotators: probability that two annotators of a face drawn at random say the same.
        in_votes: share of rows whose predicted emotion at least two annotators named.
        overlap: shared mass of the predicted distribution and the votes' (1 - total variation), 0 to 1.
        divergence: Kullback-Leibler divergence of the prediction from the votes', in nats, 0 or more.

    The votes' distribution for overlap and divergence is Barsoum et al.'s (2016): over the eight emotions, single votes
    removed. The others count all votes, those for unknown and not-a-face as agreeing with no emotion.
    """

    split: str
    n: int
    chance: float
    majority: float
    annotators: float
    in_votes: float
    overlap: float
    divergence: float


def agreements(view: StudyView) -> list[Agreement]:
    """Of each split that was evaluated; empty where the predictions were not kept."""
    return [
        agreement(name, view.predictions[split])
        for split, name in SPLITS.items()
        if split in view.predictions
    ]


def agreement(name: str, predictions: Predictions) -> Agreement:
    """The agreement of one split's predictions with its votes."""
    votes = predictions.votes.astype(np.int64)
    total = np.maximum(votes.sum(axis=1), 1)
    rows = np.arange(len(votes))
    named = votes[rows, predictions.predicted]
    pairs = (votes * (votes - 1)).sum(axis=1) / np.maximum(total * (total - 1), 1)
    target = soft_targets(votes).astype(np.float64)
    predicted = np.clip(predictions.probabilities.astype(np.float64), 1e-12, 1)
    ratio = np.log(np.where(target > 0, target, 1) / predicted)
    return Agreement(
        name,
        len(votes),
        float((named / total).mean()),
        float((votes[:, : len(EMOTIONS)].max(axis=1) / total).mean()),
        float(pairs.mean()),
        float((named >= 2).mean()),
        float(np.minimum(target, predicted).sum(axis=1).mean()),
        float((target * np.where(target > 0, ratio, 0)).sum(axis=1).mean()),
    )
