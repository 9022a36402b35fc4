"""docs/results.md, from what was measured and stored.

    python benchmarks/results.py                          # writes docs/results.md from benchmarks/measurements.json
    python benchmarks/results.py --add runs/STUDY --machine "2 cores of an AMD EPYC, no GPU" --command "run_search.py search ..."
    python benchmarks/results.py --check                  # ends with 1 if docs/results.md is not what it would write

benchmarks/measurements.json is a list of measurements, in the page's order. Each has

    section   heading it stands under
    claim     what was measured, in a sentence without its value
    unit      of the value, such as "%", "images/s" or "times"
    command   that measured it, from the root of the project
    machine   processor or GPU, cores, memory
    commit    of the version that was measured
    date      YYYY-MM-DD
    n         how many independent observations (of: rounds, seeds, faces, pairs) the interval rests on
    of        what they are
    median    the value; with "values" it is computed
    interval  [low, high], 95 %; with "values" it is computed
    values    instead of median and interval: one number an observation; a ratio has one for each pair of interleaved rounds
    note      what it does not show; may be left out

benchmarks/to_be_measured.md, what is still to be measured and how, ends the page; it has no figures.

A value without an interval is no measurement and is refused. A claim of a gain whose interval includes none is refused too: give
"nothing", the value that would be no gain (1 for a ratio), with every claim of one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MEASUREMENTS = ROOT / "benchmarks" / "measurements.json"
PLANNED = ROOT / "benchmarks" / "to_be_measured.md"
PAGE = ROOT / "docs" / "results.md"
_FIGURES = (("accuracy", "accuracy", "interval"), ("macro_f1", "macro-F1", "macro_f1_interval"))
"""Of a group of rows in metrics.json: name, words, name of its interval."""
_SHARE, _OTHER = ",.2f", ",.4g"  # how values are shown
_FEW = "With so few seeds the interval is little else than their range"
RESAMPLES, _SEED = 10_000, 20130615
_HEAD = """# Measured results

Made by `python benchmarks/results.py` from [benchmarks/measurements.json](../benchmarks/measurements.json); do not edit. What a
field of that file means is in the docstring of [benchmarks/results.py](../benchmarks/results.py).

Every figure was seen in the version that stands beside it, with a 95 % interval. Those of accuracies are by a bootstrap over
photographs; those of times and ratios by one over interleaved rounds. A figure of an older version stands for that version.

Test figures are of half of the test images: every second row of the test part of fer2013new.csv, from the first. Of these the
rule `baseline` keeps 1,620. With all of FER2013Test the same commands measure 3,275.
"""


@attrs.frozen(kw_only=True)
class Measurement:
    """One line of the page; the module tells what each field is.

    Raises:
        ValueError: It has no interval, the value lies outside of it, or it claims a gain that may be none.
    """

    section: str
    claim: str
    unit: str
    command: str
    machine: str
    commit: str
    date: str
    n: int
    of: str
    median: float | None = None
    interval: Sequence[float] | None = None
    values: Sequence[float] | None = None
    nothing: float | None = None
    note: str = ""

    def __attrs_post_init__(self) -> None:
        if self.values is not None:
            median, interval = summary(self.values)
            object.__setattr__(self, "median", median)
            object.__setattr__(self, "interval", interval)
        if self.median is None or self.interval is None or len(self.interval) != 2 or self.n < 2:
            raise ValueError(f"{self.claim}: expected a median, an interval and n of 2 or more, or values")
        low, high = self.interval
        if not low <= self.median <= high:
            raise ValueError(
                f"{self.claim}: expected the median within the interval, found {self.median} and {low} to {high}"
            )
        if self.nothing is not None and low <= self.nothing <= high:
            raise ValueError(
                f"{self.claim}: expected a gain, found an interval that includes none: {low} to {high}"
            )


def summary(values: Sequence[float]) -> tuple[float, list[float]]:
    """Return the median of `values` and its 95 % interval, by a bootstrap of percentiles."""
    sample = np.asarray(values, float)
    drawn = np.random.default_rng(_SEED).choice(sample, (RESAMPLES, len(sample)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(np.median(sample)), [float(low), float(high)]


def page(measurements: Sequence[Measurement]) -> str:
    """Return docs/results.md."""
    parts = [_HEAD]
    for section in dict.fromkeys(one.section for one in measurements):
        rows = [one for one in measurements if one.section == section]
        notes = list(dict.fromkeys(one.note for one in rows if one.note))
        parts.append(f"\n## {section}\n\n| | value | 95 % interval | n |\n|---|---|---|---|\n")
        for one in rows:
            assert one.interval is not None and one.median is not None
            low, high = one.interval
            shown = _SHARE if one.unit in ("%", "points") else _OTHER
            mark = f" ({notes.index(one.note) + 1})" if one.note else ""
            parts.append(
                f"| {_cell(one.claim)}{mark} | {one.median:{shown}} {one.unit} | {low:{shown}} to {high:{shown}} | "
                f"{one.n:,} {one.of} |\n"
            )
        for seen in dict.fromkeys((one.command, one.machine, one.commit, one.date) for one in rows):
            command, machine, commit, date = seen
            parts.append(f"\n    {command}\n\n{date}, commit {commit}, {machine}.\n")
        parts += [f"\n({number}) {note}\n" for number, note in enumerate(notes, 1)]
    return "".join([*parts, "\n", PLANNED.read_text(encoding="utf-8")])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def of_run(run: Path, command: str, machine: str) -> list[dict[str, Any]]:
    """Return the measurements of the study in the run directory `run` by best/metrics.json: accuracy and macro-F1 of its
    retrained model, and the accuracies of every seed where there are several."""
    metrics = json.loads((run / "best" / "metrics.json").read_text(encoding="utf-8"))
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    backbone = metrics["hyperparameters"].get("backbone")
    known = {
        "section": f"The study {config['study']}",
        "unit": "%",
        "command": command,
        "machine": machine,
        "commit": str(config.get("git_commit"))[:9],
        "date": str(config.get("created"))[:10],
    }
    found: list[dict[str, Any]] = []
    for split, name in {"val": "validation", "test": "test"}.items():
        seen = "chosen on these rows" if split == "val" else f"reading {metrics['test_reading']}"
        groups = metrics["photographs"].get(split) or {}
        for group, rows in {"all_rows": "", "new_photographs": ", new photographs"}.items():
            for figure, called, interval in _FIGURES:
                if groups.get(group):
                    claim = f"{backbone}, {name} {called}{rows} ({seen})"
                    found.append({**known, "claim": claim, **_of(groups[group], figure, interval)})
        if (
            split == "val"
            and found
            and (order := metrics.get("rank_correlation", {})).get("kendall_tau") is not None
        ):
            found[0]["note"] = (
                f"Kendall's tau of the scores of {order['n']} configurations as trials and retrained for "
                f"{order['epochs']} epochs: {order['kendall_tau']:.2f}"
            )
        values = [seed.get(f"{split}_accuracy") for seed in metrics.get("seeds", [])]
        if len(values) > 1 and None not in values:
            claim = f"{backbone}, {name} accuracy of retrainings, the median of the seeds"
            of_seeds = {"n": len(values), "of": "seeds", "values": [100 * value for value in values]}
            found.append({**known, "claim": claim, **of_seeds, "note": _FEW if len(values) < 6 else ""})
    for name in ("improvement", "improvement_test"):
        found += [{**known, **one} for one in _differences(metrics.get(name))]
    return found


def _differences(improvement: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """What the search improved on the known recipe, by each objective that is a share."""
    if improvement is None:
        return
    split = {"val": "validation", "test": "test"}[improvement["split"]]
    for figure, called, _ in _FIGURES:
        if one := improvement["by"].get(figure):
            yield {
                "claim": f"what the search found minus the known recipe, {split} {called}",
                "unit": "points",
                "n": improvement["photographs"],
                "of": "photographs",
                "median": 100 * one["difference"],
                "interval": [100 * one["low"], 100 * one["high"]],
                "note": f"{100 * one['value']:.2f} against {100 * one['other']:.2f} %, means of {improvement['seeds']} seeds; a "
                "paired bootstrap over photographs and seeds"
                + (". The one was chosen on these rows" if split == "validation" else ""),
            }


def _of(figures: dict[str, Any], figure: str, interval: str) -> dict[str, Any]:
    bounds = [100 * bound for bound in figures[interval]]
    return {"n": figures["n"], "of": "faces", "median": 100 * figures[figure], "interval": bounds}


def read(path: Path) -> list[dict[str, Any]]:
    """Return what is stored in `path`."""
    stored: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def main() -> int:
    """Do what the command line says; return the exit code."""
    from ferplus_data.files import write_json, write_text

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--add", type=Path, metavar="RUN", help="a study to store the accuracies of")
    parser.add_argument("--command", default="run_search.py search", help="that made it")
    parser.add_argument("--machine", default="a machine that was not told", help="it ran on")
    parser.add_argument("--check", action="store_true", help="whether docs/results.md is up to date")
    arguments = parser.parse_args()
    stored = read(MEASUREMENTS)
    if arguments.add is not None:
        new = of_run(arguments.add, arguments.command, arguments.machine)
        stored = [one for one in stored if one["section"] != new[0]["section"]] + new
    text = page([Measurement(**one) for one in stored])
    if arguments.check:
        return int(PAGE.read_text(encoding="utf-8") != text)
    write_json(MEASUREMENTS, stored)
    print(write_text(PAGE, text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
