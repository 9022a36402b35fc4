"""Predictions as text, JSON and CSV, line by line, so that thousands need no more memory than one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator

from ferplus_data.labels import EMOTIONS
from models.serving.names import encodable, on_one_line
from models.serving.prediction import Prediction


def text(predictions: Iterable[Prediction]) -> Iterator[str]:
    """A line for each: path, with what does not print escaped, expression, the probabilities from the highest."""
    for prediction in predictions:
        ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
        converted = f"  (converted from {prediction.converted})" if prediction.converted else ""
        yield (
            f"{on_one_line(prediction.path)}: {prediction.expression}  "
            + "  ".join(f"{name} {p:.3f}" for name, p in ranked)
            + converted
        )


def as_json(predictions: Iterable[Prediction]) -> Iterator[str]:
    """One JSON array; an object with path, expression, probabilities and converted on each line between the brackets."""
    before = "["
    for prediction in predictions:
        yield before + json.dumps({**vars(prediction), "path": str(prediction.path)})
        before = ","
    yield "]" if before == "," else "[]"


def as_csv(predictions: Iterable[Prediction]) -> Iterator[str]:
    """A header, then a row for each: path, expression, a column for each emotion, converted. Bytes of a path that are no UTF-8
    are escaped; the row of a path with a line break has one too, in quotes."""
    yield _row(["path", "expression", *EMOTIONS, "converted"])
    for prediction in predictions:
        probabilities = [f"{p:.6g}" for p in prediction.probabilities.values()]
        yield _row(
            [encodable(prediction.path), prediction.expression, *probabilities, prediction.converted or ""]
        )


def _row(values: list[str]) -> str:
    line, end = io.StringIO(), "\r\n"
    csv.writer(line, lineterminator=end).writerow(values)  # which also quotes what holds a part of its end
    return line.getvalue().removesuffix(end)


FORMATS: dict[str, Callable[[Iterable[Prediction]], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "csv": as_csv,
}
