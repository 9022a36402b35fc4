from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.dataset import load_dataset
from models.networks.build import build_model
from models.recipe import Recipe
from models.serving.model_files import save_model
from search.results.evaluation import evaluate_checkpoint, lines_of, with_mirror_image


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = build_model(Recipe(backbone="small_vgg", image_size=16))
    return save_model(model, tmp_path_factory.mktemp("checking") / "model.keras")


def test_figures_are_those_of_metrics_json_and_mirrored_ones_stand_apart(checkpoint: Path) -> None:
    figures = evaluate_checkpoint(checkpoint, data=None, run=None, tta=True, test=True)
    dataset = load_dataset("demo")
    assert figures["data"] == "demo" and json.loads(json.dumps(figures)) == figures
    for split in ("val", "test"):
        counts = np.array(figures["confusion"][split])
        assert counts.sum() == figures[f"n_{split}"] == len(getattr(dataset, split))
        assert np.trace(counts) / counts.sum() == pytest.approx(figures[f"{split}_accuracy"])
        low, high = figures["interval"][split]
        assert low < figures[f"{split}_accuracy"] < high
        assert figures[f"n_{split}_new_photographs"] < figures[f"n_{split}"]
        assert 0 <= figures["calibration"][split]["ece"] <= 1
    assert figures["tta"]["calibration"] != figures["calibration"] and "tta" not in figures["tta"]
    lines = lines_of(figures)
    text = "\n".join(lines)
    for split in ("val", "test"):
        assert f"\n{split}_accuracy {figures[f'{split}_accuracy']:.4f}  n {figures[f'n_{split}']}" in text
    assert sum("mirror image averaged" in line for line in lines) == 2
    assert f"test labels: reading {figures['test_reading']} of {figures['test_reading']}, of" in lines
    for rule in ("microsoft", "cntk"):
        of_rule = figures["protocols"][rule]["test"]
        assert f"  rows of {rule} {of_rule['accuracy']:.4f}  n {of_rule['n']}" in text
    assert figures["protocols"]["baseline"]["test"]["accuracy"] == figures["test_accuracy"]
    assert "mirror" not in "\n".join(lines_of({k: v for k, v in figures.items() if k != "tta"}))


def test_the_mirror_image_is_left_for_right() -> None:
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]

    def brightest_corner(faces: np.ndarray) -> np.ndarray:
        rows = np.zeros((len(faces), 8), np.float32)
        rows[np.arange(len(faces)), np.stack([faces[:, y, x, 0] for y, x in corners]).argmax(axis=0)] = 1
        return rows

    faces = np.zeros((2, 48, 48, 1), np.uint8)
    faces[0, 0, 0] = faces[1, -1, -1] = 255
    found = with_mirror_image(brightest_corner)(faces)
    assert found.dtype == np.float32
    assert found[:, :4].tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
