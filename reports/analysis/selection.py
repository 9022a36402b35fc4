"""Figures of a choice on the rows that the choice was made on, and what they are corrected for it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferplus_data.labels import EMOTIONS
from search.study.best import CHOSEN as CHOSEN
from search.study.view import StudyView, TrialRecord, by_merit

CONFIGURATIONS = 200
"""Best complete and resting trials that the bootstrap chooses among: the others are not chosen in any resample that matters."""
RESAMPLES = 500
"""Half of what Tsamardinos et al. use; the estimate's own error is then under a tenth of the interval."""


@dataclass(frozen=True)
class Corrected:
    """The best trial's validation accuracy without the gain from having been chosen on the same rows.

    Attributes:
        trial: The best of those that kept their probabilities.
        chosen: Its validation accuracy, 0 to 1, on the n rows.
        accuracy: The estimate, with its 95 % interval low to high.
        configurations: Trials that were chosen among.
    """

    trial: int
    chosen: float
    accuracy: float
    low: float
    high: float
    n: int
    configurations: int


def corrected(view: StudyView) -> Corrected | None:
    """The bootstrap bias-corrected estimate (BBC-CV, Tsamardinos et al. 2018, Machine Learning 107, 1895-1922): configurations
    are chosen on rows drawn with replacement and measured on the rows that were not drawn.

    None where fewer than two complete or resting trials kept what they said of the validation rows (trials/NNNN/validation.npz),
    and of a study whose trials are judged by something else than accuracy: another choice flatters otherwise.
    """
    if view.objective_name != "accuracy":
        return None
    right = _right(view)
    if len(right) < 2:
        return None
    numbers, table = list(right), np.stack(list(right.values()), axis=1).astype(np.float32)
    estimates = _out_of_bag(table)
    best = int(table.mean(axis=0).argmax())
    low, high = np.quantile(estimates, [0.025, 0.975])
    return Corrected(
        numbers[best],
        float(table[:, best].mean()),
        float(estimates.mean()),
        float(low),
        float(high),
        len(table),
        len(numbers),
    )


def _out_of_bag(right: NDArray[np.float32]) -> NDArray[np.float64]:
    """RESAMPLES times the out-of-bag accuracy of the configuration that is best in the bag, of `right` [rows, configurations]."""
    rng = np.random.default_rng(0)
    count = len(right)
    estimates = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, count, count), minlength=count)
        chosen = int((drawn.astype(np.float32) @ right).argmax())
        estimates[index] = right[drawn == 0, chosen].mean()
    return estimates


def _right(view: StudyView) -> dict[int, NDArray[np.bool_]]:
    """Trial -> whether it had each validation row right, for the best CONFIGURATIONS that kept what they said of the same
    rows."""
    found: dict[int, NDArray[np.bool_]] = {}
    labels: NDArray[np.integer] | None = None
    for trial in by_merit([trial for trial in view.trials if trial.eligible]):
        kept = _kept(trial)
        if kept is None:
            continue
        probabilities, own = kept
        labels = own if labels is None else labels
        if np.array_equal(own, labels) and probabilities.shape == (len(own), len(EMOTIONS)):
            found[trial.number] = probabilities.argmax(axis=1) == own
        if len(found) == CONFIGURATIONS:
            break
    return found


def _kept(trial: TrialRecord) -> tuple[NDArray[np.floating], NDArray[np.integer]] | None:
    """Probabilities [N, 8] and labels [N] of the trial's best epoch; None where there is no whole file of them."""
    try:
        with np.load(trial.directory / "validation.npz", allow_pickle=False) as arrays:
            return np.asarray(arrays["probabilities"]), np.asarray(arrays["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
