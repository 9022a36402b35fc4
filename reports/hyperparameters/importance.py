"""Which hyperparameters mattered, with intervals, and in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc, sobol_indices

from reports.hyperparameters.explanations import title
from reports.hyperparameters.surrogate import Surrogate, surrogate
from search.study.view import StudyView

DRAWS = 256
"""Points of each of the two samples behind the indices; scipy's estimator asks for a power of two."""
NOTED = 0.05
"""Share above which a hyperparameter's interval has to begin for the sentence to name it."""


@dataclass(frozen=True)
class Importance:
    """Share of the differences between configurations that one hyperparameter explains on its own, 0 to 1, all shares
    together 1, with its 95 % bootstrap interval over the trials."""

    name: str
    share: float
    low: float
    high: float


def importances(view: StudyView) -> list[Importance]:
    """The importance of each hyperparameter (families as one), the most important first; empty where no interval lies
    above NOTED: then the trials do not say what mattered.

    First-order Sobol' indices (scipy.stats.sobol_indices) of the surrogate over the declared space, as shares of their sum: the
    main effects of functional ANOVA. All scored trials count, see `reports.hyperparameters.surrogate.ranked`.
    """
    found = surrogate(view)
    shares = [] if found is None else _shares(found)
    return shares if any(one.low > NOTED for one in shares) else []


def _shares(found: Surrogate) -> list[Importance]:
    count = len(found.parameters)
    if count == 1:
        return [Importance(found.parameters[0].name, 1.0, 1.0, 1.0)]
    sample = qmc.Sobol(2 * count, seed=0).random(DRAWS)
    one, other = sample[:, :count], sample[:, count:]
    mixed = []
    for index in range(count):
        points = one.copy()
        points[:, index] = other[:, index]
        mixed.append(found.resampled(found.encoded(points)))
    values = {
        "f_A": found.resampled(found.encoded(one)),
        "f_B": found.resampled(found.encoded(other)),
        "f_AB": np.stack(mixed),
    }
    indices = np.maximum(np.nan_to_num(sobol_indices(func=values, n=DRAWS).first_order), 0)
    totals = indices.sum(axis=1, keepdims=True)
    shares = np.divide(indices, totals, out=np.zeros_like(indices), where=totals > 0)
    low, high = np.quantile(shares[1:], [0.025, 0.975], axis=0)
    return sorted(
        (
            Importance(parameter.name, float(share), float(min(share, below)), float(max(share, above)))
            for parameter, share, below, above in zip(found.parameters, shares[0], low, high, strict=True)
        ),
        key=lambda one: -one.share,
    )


def what_mattered(view: StudyView) -> str | None:
    """One sentence on the importances; None where the trials say nothing."""
    found, shares = surrogate(view), importances(view)
    if found is None or not shares:
        return None
    named = [one for one in shares if one.low > NOTED]
    first, rest = named[0], named[1:]
    said = f"{_capitalised(title(first.name))} mattered most"
    said += f": it explains {_share(first)} of the differences between configurations"
    if rest and rest[0].high > first.low:
        said += f", though these trials do not tell it apart from {title(rest[0].name)} ({_share(rest[0])})"
        rest = rest[1:]
    if rest:
        said += f"; then {_listed([f'{title(one.name)} ({_share(one)})' for one in rest[:3]])}"
    others = len(shares) - len(named)
    if others:
        said += (
            f"; no effect of {'the other' if others == 1 else f'the other {others}'} can be told from chance"
        )
    return f"{said} ({found.trials:,} trials, stopped ones included)."


def _share(one: Importance) -> str:
    return f"{one.share:.0%} [{one.low:.0%}, {one.high:.0%}]"


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
