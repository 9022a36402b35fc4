"""TaskSet's tables: 1,000 recorded trainings of a small recurrent network with Adam8p each (Metz et al. 2020)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.simulator.tasks import EPOCHS, Range, Task, full_scores
from ferplus_data.errors import InputError

# Adam8p's hyperparameters in the tables' order: beta_1 and beta_2 as their distance to 1.
_NAMES = (
    *("learning_rate", "one_minus_beta_1", "one_minus_beta_2", "epsilon"),
    *("l1", "l2", "linear_decay", "exponential_decay"),
)


def names(folder: Path) -> list[str]:
    """Return the tasks of `folder`, in the order of their numbers."""
    numbers = [path.stem.partition("-")[2] for path in (folder / "taskset").glob("taskset-*.npz")]
    return [f"taskset-{n}" for n in sorted(numbers, key=lambda n: (len(n), n))]


def load(name: str, folder: Path) -> Task:
    """Return the task `name`: a configuration has the curve of the nearest recorded one in the unit cube, scored by exp(-loss),
    0 once it diverged."""
    path = folder / "taskset" / f"{name}.npz"
    try:
        with np.load(path) as table:
            values, losses = table["H"].astype(float), table["V"].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: expected a table with H and V, found {error}") from error
    if values.shape[1] != len(_NAMES) or len(values) != len(losses) or losses.shape[1] < EPOCHS:
        raise InputError(
            f"{path}: expected H (n, {len(_NAMES)}) and V (n, {EPOCHS} or more), found {values.shape} and {losses.shape}"
        )
    decades = np.log10([values.min(0), values.max(0)])
    low, high = 10 ** np.floor(decades[0] + 1e-9), 10 ** np.ceil(decades[1] - 1e-9)
    ranges = [Range(one, float(a), float(b), log=True) for one, a, b in zip(_NAMES, low, high, strict=True)]
    at = np.linspace(losses.shape[1] / EPOCHS, losses.shape[1], EPOCHS).round().astype(int) - 1
    recorded = np.nan_to_num(np.exp(-losses[:, at]), nan=0.0)
    units = np.column_stack([one.unit(values[:, i]) for i, one in enumerate(ranges)])

    def curves(asked: np.ndarray) -> np.ndarray:
        asked = np.asarray(asked, float)
        where = np.column_stack([one.unit(asked[:, i]) for i, one in enumerate(ranges)])
        nearest = ((where[:, None] - units[None]) ** 2).sum(2).argmin(1)
        return recorded[nearest]

    full = full_scores(recorded)
    return Task(name, EPOCHS, curves, float(full.max()), float(np.median(full)), ranges)
