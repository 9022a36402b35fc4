"""LCBench by its surrogate: trainings of funnel-shaped MLPs on 34 OpenML data sets (Zimmer et al. 2021;
YAHPO Gym, Pfisterer et al. 2022). Smooth and without noise."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.simulator.tasks import EPOCHS, Range, Task, full_scores
from ferplus_data.errors import InputError

# The network's inputs in YAHPO Gym's order (its benchmarks/lcbench.py); config_space.json sorts them by name.
_INPUTS = (
    *("epoch", "batch_size", "learning_rate", "momentum"),
    *("weight_decay", "num_layers", "max_units", "max_dropout"),
)
_VAL_ACCURACY = 1
"""Column of the outputs: time, val_accuracy (percent), and four that are not used."""
_RANDOM = 3_000
"""Configurations among which the search for the best one begins."""
_CHUNK = 4_000
"""Rows that are asked for at once, so that what is between the layers stays small."""


def names(folder: Path) -> list[str]:
    """Return the tasks of `folder`, in the order of config_space.json."""
    path = folder / "lcbench"
    if not (path / "model.onnx").is_file():
        return []
    return [f"lcbench-{choice}" for choice in _space(path)["OpenML_task_id"]["choices"]]


def load(name: str, folder: Path) -> Task:
    """Return the task `name`; its best known score is that of a random search and a local one after it."""
    path = folder / "lcbench"
    space = _space(path)
    session = _session(path)
    code = json.loads((path / "encoding.json").read_text())["OpenML_task_id"][name.partition("-")[2]]
    ranges = [_range(space[one]) for one in _INPUTS[1:]]
    epochs = np.linspace(space["epoch"]["upper"] / EPOCHS, space["epoch"]["upper"], EPOCHS).round()

    def scores(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        rows = np.column_stack([np.tile(at, len(values)), np.repeat(values, len(at), axis=0)]).astype(
            np.float32
        )
        answers = [
            session.run(None, {"x_cat": np.full((len(part), 1), code, np.int32), "x_cont": part})[0]
            for part in np.array_split(rows, -(-len(rows) // _CHUNK))
        ]
        return np.concatenate(answers)[:, _VAL_ACCURACY].astype(float).reshape(len(values), len(at)) / 100

    best, median = _extremes(ranges, lambda values: scores(values, epochs[4::7]), lambda v: scores(v, epochs))
    return Task(name, EPOCHS, lambda values: scores(np.asarray(values, float), epochs), best, median, ranges)


def _extremes(ranges: list[Range], coarse: Any, fine: Any) -> tuple[float, float]:
    """The best known score and the median one. `coarse` looks at a few epochs, `fine` at all."""
    rng = np.random.default_rng(0)

    def values(units: np.ndarray) -> np.ndarray:
        return np.column_stack([one.value(units[:, i]) for i, one in enumerate(ranges)])

    units = rng.random((_RANDOM, len(ranges)))
    found = full_scores(coarse(values(units)))
    median = float(np.median(full_scores(fine(values(units[:300])))))
    for width in (0.2, 0.1, 0.1, 0.05, 0.05, 0.02, 0.02, 0.01):
        top = np.argsort(found)[-20:]
        near = np.clip(np.repeat(units[top], 15, axis=0) + rng.normal(0, width, (300, len(ranges))), 0, 1)
        # Some values stay as they are: good ones often lie on an edge.
        near = np.where(rng.random(near.shape) < 0.5, near, np.repeat(units[top], 15, axis=0))
        units, found = np.vstack([units, near]), np.append(found, full_scores(coarse(values(near))))
    return float(full_scores(fine(values(units[np.argsort(found)[-50:]]))).max()), median


def _range(one: dict[str, Any]) -> Range:
    return Range(one["name"], one["lower"], one["upper"], one["log"], one["type"] == "uniform_int")


def _space(path: Path) -> dict[str, Any]:
    try:
        found = json.loads((path / "config_space.json").read_text())["hyperparameters"]
        space = {one["name"]: one for one in found}
        return {name: space[name] for name in ("OpenML_task_id", *_INPUTS)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path / 'config_space.json'}: expected YAHPO Gym's space of LCBench, found {error!r}"
        ) from error


@functools.cache
def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    try:
        return onnxruntime.InferenceSession(
            str(path / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's classes have no common name
        raise InputError(
            f"{path / 'model.onnx'}: expected YAHPO Gym's network of LCBench, found {error}"
        ) from error
