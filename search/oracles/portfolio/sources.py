"""Which source suggests the next trial: Thompson sampling by what their trials came to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.oracles.portfolio.observations import Observation


def choose(
    names: Sequence[str], observations: Sequence[Observation], epochs: int, rng: np.random.Generator
) -> str:
    """Return one of `names`, drawn by how likely it is the one whose trials find something better.

    A trial that beat all before it is a success of its source; another is a failure by the share of a full training, of
    `epochs`, that it spent. Each source's rate is drawn from its Beta distribution (Thompson 1933); the highest wins.
    """
    counts = {name: [1.0, 1.0] for name in names}  # of successes and failures, none known
    best = -np.inf
    for one in observations:
        if one.last == 0 or one.evidence:
            continue
        value = float(one.best[-1])
        if one.source in counts and not one.running:
            if value > best:
                counts[one.source][0] += 1
            else:
                counts[one.source][1] += min(one.last / epochs, 1.0)
        best = max(best, value)
    rates = [rng.beta(successes, failures) for successes, failures in counts.values()]
    return names[int(np.argmax(rates))]
