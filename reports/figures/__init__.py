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
    confusion,
    importances,
    learning_curves,
    optimisation_history,
    parallel_coordinates,
    per_class,
    retraining_curves,
)
from search.study import StudyView


@dataclass(frozen=True)
class FigureEntry:
    """A figure and how the page presents it.

    Attributes:
        draw: study -> figure; None when the study has nothing to show for it. Never raises on a valid study.
        title: heading above it.
        caption: one sentence saying what is drawn; also the text alternative.
        section: the page's section it stands in: "search", "mattered" or "model".
        empty: what the page says in its place when `draw` returns None.
        shape: "wide", "tall" or "square"; sets the height. A figure that sets layout.height keeps its own.
        min_width: pixels below which the figure scrolls sideways in its own container.
    """

    draw: Callable[[StudyView], go.Figure | None]
    title: str
    caption: str
    section: str
    empty: str
    shape: str = "wide"
    min_width: int = 0


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
    "parameter_importances": FigureEntry(
        importances.draw,
        "Importance of each hyperparameter",
        "PED-ANOVA over the complete trials: how much each hyperparameter's values differ between the best "
        "trials and all of them, as a share of the total.",
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
        min_width=760,
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
        confusion.validation,
        "Confusion on the validation split",
        "Rows are the true emotion, columns the predicted one; each cell holds the number of images and its "
        "share of the row.",
        "model",
        "There is no evaluated model yet.",
        shape="square",
    ),
    "confusion_test": FigureEntry(
        confusion.test,
        "Confusion on the test split",
        "Rows are the true emotion, columns the predicted one; each cell holds the number of images and its "
        "share of the row.",
        "model",
        "There is no evaluated model yet.",
        shape="square",
    ),
    "per_class": FigureEntry(
        per_class.draw,
        "Precision, recall and F1 per emotion",
        "Precision, recall and F1 of each emotion on the validation and the test split; the tables below "
        "hold the numbers; under each emotion stands its number of images.",
        "model",
        "There is no evaluated model yet.",
        shape="tall",
    ),
}
"""Every figure, in the order in which the page shows them."""
