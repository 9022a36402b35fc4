"""Which configurations are retrained, which of them goes on, and what the search has found beyond the known recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from ferplus_data.dataset import Split
from models.metrics.objectives import OBJECTIVES
from models.metrics.paired import improvements
from models.recipe import Recipe
from search.storages.trial_life import KNOWN_RECIPE
from search.study.view import TrialRecord, best_trial
from search.workers.time_budget import epochs_in_all

_SPLITS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Contenders:
    """Trials whose configurations are retrained.

    Attributes:
        finalists: The best ones, best first.
        known_recipe: What they are compared with, which has all epochs and seeds; None: they are not compared.
    """

    finalists: tuple[TrialRecord, ...]
    known_recipe: TrialRecord | None = None

    @property
    def all(self) -> tuple[TrialRecord, ...]:
        return self.finalists if self.known_recipe is None else (*self.finalists, self.known_recipe)

    def whole_trainings(self, seeds: int, epochs: int) -> float:
        """How many trainings of all `epochs` the retraining is worth."""
        compared = self.known_recipe is not None
        return epochs_in_all(epochs, seeds, len(self.finalists), compared=compared) / epochs

    def asked_for(self, seeds: Sequence[int], epochs: int) -> dict[str, Any]:
        """What a retraining of them is told by, plain values."""
        others = {
            "finalists": [trial.number for trial in self.finalists],
            "known_recipe": self.known_recipe and self.known_recipe.number,
        }
        return {"trial": self.finalists[0].number, "seeds": list(seeds), "epochs": epochs} | (
            others if len(self.all) > 1 else {}
        )


def contenders(trials: Sequence[TrialRecord], count: int) -> Contenders | None:
    """Return the `count` best configurations of `trials` beside the best of the space's known recipes, and that recipe; the best
    trial alone where `count` is 0, where it is 1 and the best is the known recipe, or where there is no other. None if no trial
    finished an epoch."""
    best = best_trial(trials)
    if best is None:
        return None
    known = best_trial([trial for trial in trials if trial.source == KNOWN_RECIPE])
    if count == 0 or (count == 1 and best is known):
        return Contenders((best,))
    found = best_distinct(trials, count if known is None else count + 1)
    others = tuple(trial for trial in found if trial is not known)[:count]
    return Contenders(others, known) if others else Contenders((best,))


def best_distinct(trials: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """Return the best `count` of `trials`, by the rule of `best_trial`, that are of different recipes; fewer where there are no
    more."""
    left, found, recipes = list(trials), list[TrialRecord](), list[Recipe]()
    while len(found) < count and (best := best_trial(left)) is not None:
        left.remove(best)
        recipe = Recipe.from_hyperparameters(best.hyperparameters)
        if recipe not in recipes:
            found.append(best)
            recipes.append(recipe)
    return found


def rank_correlation(merits: Sequence[float], retrained: Sequence[float]) -> float | None:
    """Return Kendall's tau-b between what configurations had as trials and what they have retrained; None for fewer than three,
    or where one of the two does not tell them apart."""
    if len(merits) < 3:
        return None
    tau = float(kendalltau(merits, retrained).statistic)
    return None if math.isnan(tau) else tau


def improvement_on(
    found: TrialRecord,
    known: TrialRecord,
    said: Mapping[int, Sequence[NDArray[np.float32]]],
    split: Split,
    objective: str,
    name: str = "val",
) -> dict[str, Any]:
    """Return what `found` is better by than the `known` recipe on `split`, plain values: metrics.json's "improvement", with a
    sentence for people as "statement".

    Args:
        said: Number of a trial -> probabilities of each of its retrainings, the seeds in one order.
        name: Of the split, "val", on which `found` has been chosen, or "test".
    """
    names = list(dict.fromkeys([objective, "accuracy", "macro_f1"]))
    by_objective = improvements(said[found.number], said[known.number], split, names)
    photographs, seeds = len(np.unique(split.photographs)), len(said[found.number])
    one = by_objective[objective]
    told = OBJECTIVES[objective]
    scale, digits, unit = (1, 3, "nats") if told.unit == "nats" else (100, 1, "points")
    gained = "did not improve on the known recipe:" if one.high < 0 else "improved on the known recipe by"
    if one.low > 0:
        verdict = "shown" if seeds > 1 else "shown for this seed"
    elif one.high < 0:
        verdict = "the known recipe is better"
    else:
        verdict = "not shown, the interval holds 0"
    drawn = (
        f"and {seeds} seeds" if seeds > 1 else "of one seed, so that what another seed changes is not in it"
    )
    return {
        "trial": found.number,
        "known_recipe": known.number,
        "objective": objective,
        "split": name,
        "n": len(split),
        "photographs": photographs,
        "seeds": seeds,
        "shown": one.low > 0,
        "by": {name: asdict(of_one) for name, of_one in by_objective.items()},
        "statement": f"the search {gained} {scale * one.difference:.{digits}f} {unit} "
        f"[{scale * one.low:.{digits}f}, {scale * one.high:.{digits}f}] of {_SPLITS[name]} {told.label}: {verdict} (trial "
        f"{found.number} against trial {known.number}, both retrained alike; 95 % interval of a paired bootstrap over "
        f"{photographs:,} photographs {drawn})",
    }
