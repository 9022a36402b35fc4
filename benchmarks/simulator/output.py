"""What a comparison has found, as a table, a CSV file and a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.simulator.scores import Mean, difference, interval

Regrets = Mapping[str, Mapping[float, Mapping[tuple[str, int], float]]]
"""method -> budget -> (task, seed) -> regret"""


def means(regrets: Regrets) -> dict[str, dict[float, Mean]]:
    """Return the mean regret of each method at each budget, with its interval."""
    return {name: {b: interval(found) for b, found in of.items() if found} for name, of in regrets.items()}


def table(regrets: Regrets) -> str:
    """Return the means as text: a line a method, a column a budget, and the paired difference to the first method below it."""
    found = means(regrets)
    names, budgets = list(found), [b for b in next(iter(found.values()))]
    width = max(len(name) for name in [*names, "full trainings"]) + 2
    lines = ["full trainings".ljust(width) + "".join(f"{b:>26g}" for b in budgets)]
    for name in names:
        cells = [f"{m.mean:.3f} [{m.lo:.3f}, {m.hi:.3f}]" for m in found[name].values()]
        lines.append(name.ljust(width) + "".join(cell.rjust(26) for cell in cells))
        if name != names[0]:
            less = [difference(regrets[names[0]][b], regrets[name][b]) for b in found[name]]
            cells = [f"{m.mean:+.3f} [{m.lo:+.3f}, {m.hi:+.3f}]" for m in less]
            lines.append(f"  {names[0]} minus it".ljust(width) + "".join(cell.rjust(26) for cell in cells))
    first = next(iter(found[names[0]].values()))
    lines.append(f"n = {first.n} studies a cell; 95 % intervals from a bootstrap over tasks and seeds")
    return "\n".join(lines)


def write_csv(path: Path, regrets: Regrets, *, telling: str, workers: int) -> None:
    """Write a line for each method and budget."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["telling", "workers", "method", "full_trainings", "regret", "lo", "hi", "n"])
        for name, of in means(regrets).items():
            for budget, m in of.items():
                figures = [f"{x:.4f}" for x in (m.mean, m.lo, m.hi)]
                writer.writerow([telling, workers, name, f"{budget:g}", *figures, m.n])


def draw(path: Path, regrets: Regrets, *, title: str) -> None:
    """Draw regret over budget, a line a method, with the intervals as bands."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for name, of in means(regrets).items():
        budgets: Sequence[float] = list(of)
        (line,) = axes.plot(budgets, [m.mean for m in of.values()], marker="o", markersize=4, label=name)
        low, high = [m.lo for m in of.values()], [m.hi for m in of.values()]
        axes.fill_between(budgets, low, high, alpha=0.12, color=line.get_color(), linewidth=0)
    axes.set(xscale="log", xlabel="full trainings", ylabel="normalised regret", title=title)
    axes.set_xticks(budgets, [f"{b:g}" for b in budgets])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    pyplot.close(figure)
