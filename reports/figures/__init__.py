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
    contour,
    data,
    freeze_rate_map,
    fronts,
    importances,
    learning_curves,
    optimisation_history,
    parallel_coordinates,
    per_class,
    precision_recall,
    reliability,
    retraining_curves,
    score_against_cost,
    slices,
    time_spent,
    worker_timeline,
)
from reports.hyperparameters.surrogate import MIN_TRIALS
from search.study.view import StudyView


@dataclass(frozen=True)
class FigureEntry:
    """A figure and how the page presents it.

    Attributes:
        draw: study -> figure; None when the study has nothing to show for it. Never raises on a valid study. The figure's
            layout.meta says what it shows, and may have a title and a caption of its own (`reports.figures.style.styled`).
        title: heading above it.
        caption: one sentence saying what is drawn.
        section: the page's section it stands in: "search", "mattered", "model" or "run".
        empty: why there is none when `draw` returns None.
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
_CURVES = (
    "Precision against recall of each emotion against the rest on the {} split, as the steps whose area is the average "
    "precision beside its name."
)
_SHARES = "Share of the faces under each majority label, for the training, validation and test split."


_NO_DIFFERENCE = (
    f"This needs {MIN_TRIALS} scored trials whose hyperparameters tell their scores apart beyond chance."
)
_ALIKE = "This needs two scored trials that differ in a hyperparameter."
SLICES = 4
"""Hyperparameters that have a slice of their own, the most important ones."""


def _slice(place: int) -> FigureEntry:
    return FigureEntry(
        slices.of(place),
        f"Hyperparameter number {place + 1} by importance",
        "Score of every complete and stopped trial against it; a colour per condition.",
        "mattered",
        _ALIKE,
        shape="half",
    )


FIGURES: dict[str, FigureEntry] = {
    "importances": FigureEntry(
        importances.draw,
        "Importance of each hyperparameter",
        "Share of the differences between configurations that each hyperparameter explains on its own (functional ANOVA on a "
        "Gaussian process over the whole space), with 95 % bootstrap intervals over the trials; stopped trials count, below "
        "those that got further.",
        "mattered",
        _NO_DIFFERENCE,
    ),
    **{f"slice_{place + 1}": _slice(place) for place in range(SLICES)},
    "contour": FigureEntry(
        contour.draw,
        "The first two together",
        "Expected score over the two most important hyperparameters.",
        "mattered",
        _NO_DIFFERENCE,
        shape="half",
    ),
    "score_against_cost": FigureEntry(
        score_against_cost.draw,
        "Score against cost",
        "Score of every complete and stopped trial against the time of its epochs; the line runs through those "
        "that no cheaper trial surpasses.",
        "mattered",
        "The trials recorded no times, or their epochs cost the same.",
        shape="half",
    ),
    "accuracy_against_macro_f1": FigureEntry(
        fronts.draw_macro_f1,
        "Accuracy against macro-F1",
        "Every complete and stopped trial at its best epoch; the line runs through those that none surpasses in both. Macro-F1 "
        "is the mean over the emotions, however rare.",
        "mattered",
        "Fewer than three trials have a history with macro-F1.",
        shape="half",
    ),
    "accuracy_against_size": FigureEntry(
        fronts.draw_size,
        "Accuracy against size",
        "Every complete and stopped trial at its best epoch, by the parameters of its network; the line runs through those that "
        "no smaller one surpasses.",
        "mattered",
        "The trials recorded no sizes, or their networks are of one size.",
        shape="half",
    ),
    "freeze_rate_map": FigureEntry(
        freeze_rate_map.draw,
        "Freeze index by learning rate",
        "For each backbone the best score per freeze index and range of learning rates, with the number of "
        "complete and stopped trials there; what is empty was not tried.",
        "mattered",
        "No backbone has scored trials that differ in freeze index.",
        min_width=560,
    ),
    "parallel_coordinates": FigureEntry(
        parallel_coordinates.draw,
        "Hyperparameters against score",
        "One line per complete or stopped trial, grey (worst score) over blue to orange (best), across at "
        f"most {parallel_coordinates.MAX_AXES} hyperparameters, the most important beside the score; a trial "
        "without a conditional hyperparameter passes through that axis's dash.",
        "mattered",
        _ALIKE,
        shape="tall",
        min_width=900,
    ),
    "optimisation_history": FigureEntry(
        optimisation_history.draw,
        "Optimisation history",
        "Score of every trial in order of number, with the best so far of those that are complete or rest as "
        "a step line and trials without any score as marks on the edge where scores are worst.",
        "search",
        "No trial has started.",
    ),
    "learning_curves": FigureEntry(
        learning_curves.draw,
        "Learning curves",
        "Score after every epoch of every trial; a stopped trial's curve ends in a diamond, a "
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
        "Time of all workers together by what it was recorded for, with its share of the total, and that of the retraining, its "
        "evaluation and the report; idle is what lies between a worker's trials.",
        "search",
        "No trial has taken any time yet.",
    ),
    "retraining_curves": FigureEntry(
        retraining_curves.draw,
        "Retraining the best trial",
        "Losses, accuracy and learning rate after each epoch of each retraining run; of the accuracies training is dotted, on "
        "altered faces, and validation solid. The two losses are different quantities and have a panel each.",
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
