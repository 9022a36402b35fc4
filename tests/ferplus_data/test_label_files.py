"""Official label files are known by what they hold, in either layout and order, and by nothing else."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from ferplus_data import label_files
from ferplus_data.dataset import load_dataset
from ferplus_data.label_files import LABEL_FILES, OTHER, LabelFile, labels_source, sum_of_rows
from ferplus_data.labels import PROTOCOLS, VOTE_COLUMNS
from ferplus_data.readers import SPLITS
from ferplus_data.readers.row_order import USAGES

KEPT = {"baseline": (4, 2, 1)}


def table(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    votes = np.array([[int(row[column]) for column in VOTE_COLUMNS] for row in rows], dtype=np.uint8)
    return [row["Image name"] for row in rows], votes, np.array([USAGES.index(row["Usage"]) for row in rows])


def test_the_official_votes() -> None:
    path = os.environ.get("FERPLUS_VOTES")
    if not path:
        pytest.skip("FERPLUS_VOTES does not name the official fer2013new.csv")
    names, votes, split = table(Path(path))
    assert labels_source(names, votes, split) == "fer2013new.csv"
    order = np.random.default_rng(0).permutation(len(names))
    assert labels_source([names[row] for row in order], votes[order], split[order]) == "fer2013new.csv"
    for rule, of_rule in PROTOCOLS.items():
        kept = np.bincount(split[of_rule(votes) >= 0])
        assert tuple(kept) == LABEL_FILES["fer2013new.csv"].kept[rule], rule
    # Half of one split is still that file; every split changed is not.
    assert labels_source(names[:-1000], votes[:-1000], split[:-1000]) == "fer2013new.csv"
    for index in range(3):
        votes[np.flatnonzero(split == index)[0]] += 1
    assert labels_source(names, votes, split) == OTHER


def test_the_other_official_votes() -> None:
    folder = Path(os.environ.get("FERPLUS_VOTES", "")).parent / "label_csv"
    if not folder.is_dir():
        pytest.skip("no folder label_csv with microsoft/FERPlus's label.csv files beside FERPLUS_VOTES")
    names: list[str] = []
    votes: list[list[int]] = []
    split: list[int] = []
    for index, word in enumerate(("Train", "Valid", "Test")):
        with open(folder / f"FER2013{word}.label.csv", newline="") as stream:
            rows = list(csv.reader(stream))
        names += [row[0] for row in rows]
        votes += [[int(cell) for cell in row[2:]] for row in rows]
        split += [index] * len(rows)
    name = "microsoft/FERPlus label.csv"
    assert labels_source(names, np.array(votes, np.uint8), np.array(split)) == name
    for rule, of_rule in PROTOCOLS.items():
        assert tuple(np.bincount(np.array(split)[of_rule(votes) >= 0])) == LABEL_FILES[name].kept[rule], rule


def test_both_layouts_and_mixtures_are_named(rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, votes, split = table(rows.write_csv(tmp_path / "csv") / "fer2013new.csv")
    assert load_dataset(tmp_path / "csv").labels_source == OTHER
    sums = [sum_of_rows([names[i] for i in np.flatnonzero(split == s)], votes[split == s]) for s in range(3)]
    of_one, of_other = LabelFile((sums[0], "", ""), KEPT), LabelFile(("", sums[1], sums[2]), KEPT)
    monkeypatch.setattr(label_files, "LABEL_FILES", {"one": LabelFile(tuple(sums), KEPT)})
    for write in (rows.write_csv, rows.write_png):
        assert load_dataset(write(tmp_path / write.__name__)).labels_source == "one"
    monkeypatch.setattr(label_files, "LABEL_FILES", {"one": of_one, "other": of_other})
    assert labels_source(names, votes, split) == f"one ({SPLITS[0]}) and other ({SPLITS[1]}, {SPLITS[2]})"
