"""Draws docs/architecture.svg: the rooms of the project and who imports whom, as the code has it. After a change of imports:

python docs/make_architecture.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"

# Each room imports only from rooms that stand before it here. A room is a folder, or a file that stands beside folders.
ROOMS = {
    "ferplus_data": "files -> arrays -> batches",
    "models/hyperparameters": "range, meaning, where each acts",
    "models/backbones": "bodies, weights, licences",
    "models/optimization": "optimizers, LR policies, class weights",
    "models/recipe": "every choice of one training",
    "models/device": "GPUs, number formats",
    "models/metrics": "objectives, intervals, photographs",
    "models/networks": "recipe -> Keras model",
    "models/frozen_prefix": "frozen layers, run once an image",
    "models/training": "epochs, checkpoints",
    "models/serving": "pictures, exports, runtimes",
    "spaces": "what may vary",
    "search/user_functions": "FILE.py:FUNCTION",
    "search/storages": "one study in a database",
    "search/oracles": "which trial comes next",
    "search/study": "what is asked, kept, left on disk",
    "search/callbacks": "what programs are told",
    "search/tracking": "MLflow and the like",
    "search/console": "what a person sees",
    "search/workers": "who runs the trials",
    "search/preflight": "checks before any work",
    "search/setup": "what a search needs first",
    "search/time_estimate": "how long it would take",
    "search/readiness": "what it would find",
    "search/warm_start": "results known before",
    "search/results": "best trial -> measured model",
    "search/launch": "a search to its result",
    "search/queueing": "configurations of the user's own",
    "search/commands": "the command line",
    "reports/analysis": "numbers and sentences",
    "reports/hyperparameters": "declared, and how much each mattered",
    "reports/figures": "one figure a file",
    "reports/writers": "JSON, CSV, pictures",
    "reports/html": "the page",
    "reports/notebook": "as a notebook shows it",
    "reports": "formats by name",
    "reports/reporting": "as the commands ask for it",
    "search/library": "the front door for Python",
    "run_search": "the program",
}
WAY_OF_A_TRIAL = (
    ("search/oracles", "suggested"),
    ("search/storages", "one row of the study, claimed by a worker"),
    ("search/workers", "run, with a heartbeat"),
    ("models/recipe", "its hyperparameters checked"),
    ("models/networks", "its network built, or taken as it was compiled"),
    ("models/frozen_prefix", "its frozen layers' activations read or made"),
    ("models/training", "trained an epoch, checkpointed, reported; it goes on, rests, is pruned or complete"),
    ("search/study", "its files in the run directory"),
    ("search/results", "the best one retrained, measured, exported"),
    ("reports/html", "told of"),
)
_TOPS = ("ferplus_data", "models", "spaces", "search", "reports", "run_search")
_COLUMNS = ("ferplus_data", "models", "spaces", "search", "reports", "run_search")


def arrows() -> set[tuple[str, str]]:
    """Return (room, room that it imports) of every import in the product but those for type checkers alone."""
    files = [ROOT / "run_search.py", *(path for top in _TOPS for path in sorted((ROOT / top).rglob("*.py")))]
    found = set()
    for path in files:
        room = _room(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
        found |= {(room, _room(module)) for module in _imported(ast.parse(path.read_text(encoding="utf-8")))}
    # A package's name alone, as for its version, is no room.
    return {(one, other) for one, other in found if one != other and {one, other} <= ROOMS.keys()}


def _room(module: str) -> str:
    top, *rest = module.split(".")
    return f"{top}/{rest[0]}" if top in ("models", "search", "reports") and rest else top


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in _TOPS:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in _TOPS)
        else:
            yield from _imported(node)


def picture(found: set[tuple[str, str]]) -> str:
    """Return the SVG: a column for each top folder, a box for each room, higher ones import lower ones, an arrow for each import
    between rooms of one column, and for the others one between columns."""
    places = {}
    for column, top in enumerate(_COLUMNS):
        rooms = [room for room in reversed(ROOMS) if room.split("/")[0] == top]
        for row, room in enumerate(rooms):
            places[room] = (30 + 275 * column, 60 + 66 * row)
    rows = max(sum(room.split("/")[0] == top for room in ROOMS) for top in _COLUMNS)
    bottom = 90 + 66 * rows
    width, height = 30 + 275 * len(_COLUMNS), bottom + 20 * (len(WAY_OF_A_TRIAL) // 2 + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b7083"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for column, top in enumerate(_COLUMNS):
        parts.append(f'<text x="{30 + 275 * column}" y="36" font-size="17" font-weight="bold">{top}</text>')
    for one, other in sorted(found):
        parts.append(_arrow(places[one], places[other], same=one.split("/")[0] == other.split("/")[0]))
    for room, (x, y) in places.items():
        name = room.partition("/")[2] or room
        parts.append(
            f'<rect x="{x}" y="{y}" width="215" height="44" rx="6" fill="#eef3f7" stroke="#5b7083"/>'
        )
        parts.append(f'<text x="{x + 10}" y="{y + 18}" font-weight="bold">{escape(name)}</text>')
        parts.append(
            f'<text x="{x + 10}" y="{y + 35}" font-size="11" fill="#44545f">{escape(ROOMS[room])}</text>'
        )
    parts.append(f'<text x="30" y="{bottom}" font-size="15" font-weight="bold">The way of a trial</text>')
    for i, (room, what) in enumerate(WAY_OF_A_TRIAL):
        x, y = places[room]
        badge = (
            f'<circle cx="{x + 203}" cy="{y + 10}" r="10" fill="#b3492f"/><text x="{x + 203}" y="{y + 14}"'
        )
        parts.append(f'{badge} text-anchor="middle" fill="#fff" font-size="11">{i + 1}</text>')
        column, row = divmod(i, len(WAY_OF_A_TRIAL) // 2)
        text = f"{i + 1}  {room.split('/')[1]}: {what}"
        parts.append(f'<text x="{30 + 825 * column}" y="{bottom + 20 * (row + 1)}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _arrow(start: tuple[int, int], end: tuple[int, int], *, same: bool) -> str:
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + 22, y2 + 22
    if same:  # a bow on the right of the column
        bow = x1 + 215 + 12 + (y2 - y1) // 16
        path = f"M{x1 + 215} {y1}C{bow} {y1} {bow} {y2} {x2 + 215} {y2}"
    else:
        side = 215 if x2 < x1 else 0
        path = f"M{x1 + 215 - side} {y1}L{x2 + side} {y2}"
    return (
        f'<path d="{path}" fill="none" stroke="#5b7083" stroke-opacity="{0.55 if same else 0.18}" '
        'marker-end="url(#tip)"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(arrows()), encoding="utf-8")
    print(PICTURE)
