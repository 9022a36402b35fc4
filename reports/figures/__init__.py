"""Figures of a study: functions StudyView -> plotly Figure in one table.

    from reports.figures import FIGURES
    FIGURES["optimisation_history"].draw(view)      # a plotly Figure, or None: nothing to show yet

A new figure is one function in one file of this folder plus one line here; the page places it by `section`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from reports.figures import (
    accuracy_by_agreement,
    confusion,
    data,
    freeze_rate_map,
    importances,
    learning_curves,
    optimisation_history,
    parallel_coordinates,
    per_class,
    precision_recall,
    reliability,
    retraining_curves,
    slices,
    time_spent,
    worker_timeline,
)
from search.study.view import StudyView


@dataclass(frozen=True)
class FigureEntry:
    """A figure and how the page presents it.

    Attributes:
        draw: study -> figure; None when the study has nothing to show for it. Never raises on a valid study.
        title: heading above it.
        caption: one sentence saying what is drawn; also the text alternative.
        section: the page's section it stands in: "search", "mattered", "model" or "run".
        empty: what the page says in its place when `draw` returns None.
        shape: "wide", "tall", or "half" or "square", of which two stand side by side; sets the height. A figure that sets
            layout.height keeps its own.
        min_width: pixels below which the figure scrolls sideways in its own container.
    """

    draw: Callable[[StudyView], go.Figure | None]
    title: str
    caption: str
    section: str
    empty: str
    shape: str = "wide"
    min_width: int = 0


_NO_MODEL = "There is no evaluated model yet."
_NO_PREDICTIONS = (
    "The predictions of the retrained model were not kept: best/predictions.npz is written by a retraining."
)
_CELLS = "Rows are the true emotion, columns the predicted one; each cell holds the number of images and its share of the row."
_SLICE = (
    "Validation accuracy of every complete and pruned trial against its {}; trials that do not have it are left out, and "
    "one that is declared under a condition has a colour per condition."
)
_CURVES = (
    "Precision against recall of each emotion against the rest on the {} split, with its average precision; rare emotions "
    "have steps, for a few faces make their whole curve."
)
_SHARES = "Share of the faces under each majority label, for the training, validation and test split."


def _slice(name: str, title: str, words: str) -> FigureEntry:
    return FigureEntry(
        slices.of(name),
        title,
        _SLICE.format(words),
        "mattered",
        f"Nothing to compare: no two scored trials differ in {words}.",
        shape="half",
    )


FIGURES: dict[str, FigureEntry] = {
    "optimisation_history": FigureEntry(
        optimisation_history.draw,
        "Optimisation history",
        "Best validation accuracy of every trial in order of number, with the best complete trial so far as "
        "a step line and trials without any score as marks on the bottom edge.",
        "search",
        "No trial has started.",
    ),
    "learning_curves": FigureEntry(
        learning_curves.draw,
        "Learning curves",
        "Validation accuracy after every epoch of every trial; a pruned trial's curve ends in a diamond, a "
        "failed one's in a cross.",
        "search",
        "No trial has finished an epoch.",
    ),
    "worker_timeline": FigureEntry(
        worker_timeline.draw,
        "Workers",
        "A row per worker with its utilisation, the share of its time that was spent in trials, and a bar per trial from "
        "start to end by the storage's clock, coloured by how it ended; a "
        "continued trial shows from where it was taken up again.",
        "search",
        "No trial has started.",
    ),
    "time_spent": FigureEntry(
        time_spent.draw,
        "Where the time went",
        "Time of all workers together by what the trials recorded them for, with their share of the total; idle is what lies "
        "between a worker's trials.",
        "search",
        "No trial has taken any time yet.",
    ),
    "parameter_importances": FigureEntry(
        importances.draw,
        "Importance of each hyperparameter",
        "Over the complete trials, as shares of the total: PED-ANOVA, how much a hyperparameter's values differ between the "
        "best trials and all of them; fANOVA, how much of the score's variance it explains, for those that every trial has.",
        "mattered",
        f"Importances need at least {importances.MIN_TRIALS} complete trials that differ in score.",
    ),
    "parallel_coordinates": FigureEntry(
        parallel_coordinates.draw,
        "Hyperparameters against score",
        "One line per complete or pruned trial, grey (lowest score) over blue to orange (highest), across at "
        f"most {parallel_coordinates.MAX_AXES} hyperparameters, the most important beside the score; a trial "
        "without a conditional hyperparameter passes through that axis's dash.",
        "mattered",
        "Nothing to compare: this needs two scored trials that differ in a hyperparameter.",
        shape="tall",
        min_width=900,
    ),
    "slice_freeze_before": _slice("freeze_before", "Freeze index", "freeze index"),
    "slice_dropout": _slice("dropout", "Dropout", "dropout"),
    "slice_learning_rate": _slice("learning_rate", "Learning rate", "learning rate"),
    "slice_lr_policy": _slice("lr_policy", "Learning-rate policy", "learning-rate policy"),
    "slice_class_weights": _slice("class_weights", "Class weighting", "class weighting"),
    "freeze_rate_map": FigureEntry(
        freeze_rate_map.draw,
        "Freeze index by learning rate",
        "For each backbone the best validation accuracy per freeze index and range of learning rates, with the number of "
        "complete and pruned trials there; what is empty was not tried.",
        "mattered",
        "No backbone has scored trials that differ in freeze index.",
        min_width=560,
    ),
    "retraining_curves": FigureEntry(
        retraining_curves.draw,
        "Retraining the best trial",
        "Loss, accuracy and learning rate after each epoch of each retraining run; training is dotted, "
        "validation solid.",
        "model",
        "The best trial has not been retrained.",
        shape="tall",
    ),
    "confusion_val": FigureEntry(
        confusion.validation, "Confusion on the validation split", _CELLS, "model", _NO_MODEL, shape="square"
    ),
    "confusion_test": FigureEntry(
        confusion.test, "Confusion on the test split", _CELLS, "model", _NO_MODEL, shape="square"
    ),
    "per_class": FigureEntry(
        per_class.draw,
        "Precision, recall and F1 per emotion",
        "Precision, recall and F1 of each emotion on the validation and the test split; the tables below "
        "hold the numbers; under each emotion stands its number of images.",
        "model",
        _NO_MODEL,
        shape="tall",
    ),
    "reliability": FigureEntry(
        reliability.draw,
        "Reliability",
        "How often the model is right against how sure it is, in 15 ranges of confidence; below the dotted line it is surer "
        "than it should be. ECE is the mean distance from that line, weighted by faces.",
        "model",
        "The evaluation recorded no calibration.",
        shape="half",
    ),
    "accuracy_by_agreement": FigureEntry(
        accuracy_by_agreement.draw,
        "Accuracy where annotators agree",
        "Accuracy per range of the share of votes that the label got, with 95% intervals: on the left faces that people "
        "themselves did not agree on.",
        "model",
        _NO_PREDICTIONS,
        shape="half",
    ),
    "precision_recall_val": FigureEntry(
        precision_recall.of("val"),
        "Precision and recall, validation",
        _CURVES.format("validation"),
        "model",
        _NO_PREDICTIONS,
        shape="half",
    ),
    "precision_recall_test": FigureEntry(
        precision_recall.of("test"),
        "Precision and recall, test",
        _CURVES.format("test"),
        "model",
        _NO_PREDICTIONS,
        shape="half",
    ),
    "class_distribution": FigureEntry(
        data.labels, "Labels per split", _SHARES, "run", "The run recorded no class counts.", shape="half"
    ),
    "vote_distribution": FigureEntry(
        data.votes,
        "Votes per split",
        "Share of the annotators' votes for each of the ten columns, over the faces that the label protocol keeps.",
        "run",
        "The run recorded no votes.",
        shape="half",
    ),
    "ambiguity": FigureEntry(
        data.ambiguity,
        "Ambiguity",
        "Share of the faces per tenth of the votes that their label got: on the right those that everybody agreed on.",
        "run",
        "The run recorded no votes.",
        shape="half",
    ),
}
"""Every figure, in the order in which the page shows them."""
