"""The retrained models of a configuration, and those of the one that it is compared with on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from ferplus_data.files.owned import sha256_of
from models.metrics.scores import predict_probabilities
from models.serving.classifier import Classifier
from models.serving.model_files import load_model
from search.results.finalists import improvement_on
from search.results.measuring import Rivals, Subject
from search.results.successive_halving import SuccessiveHalving
from search.study.view import TrialRecord


def subjects_of(halving: SuccessiveHalving, trial: TrialRecord) -> list[Subject]:
    """Return the retrained models of `trial`, in the order of the seeds."""
    return [
        Subject(
            _classifier(training.model),
            {"trial": trial.number, "seed": seed, "sha256": sha256_of(training.model)},
        )
        for seed, training in halving.trainings(trial).items()
    ]


def rivals_of(halving: SuccessiveHalving, trial: TrialRecord, told: dict[str, Any]) -> Rivals | None:
    """Return what `trial` is compared with: of what the search has found and the known recipe the other one. After the comparison
    its outcome is `told` as "improvement_test". None where no known recipe was retrained."""
    if halving.compared is None:
        return None
    found, known = halving.compared
    rival = known if trial.number == found.number else found

    def compare(
        said: Sequence[NDArray[np.float32]], by_rival: Sequence[NDArray[np.float32]], split: Split
    ) -> None:
        both = {trial.number: said, rival.number: by_rival}
        told["improvement_test"] = improvement_on(found, known, both, split, told["objective"], "test")

    return Rivals(subjects_of(halving, rival), compare)


def _classifier(path: Path) -> Classifier:
    # From the file, not from memory: what is reported is what is shipped.
    return lambda faces: predict_probabilities(load_model(path), faces)
