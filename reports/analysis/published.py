"""Published accuracies on FER+, to set a run beside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published result.

    Attributes:
        model: network and, where there is a choice, the training target.
        weights: what it started from, "none" for random weights.
        image_size: side in pixels that the network saw.
        val_accuracy, test_accuracy: 0 to 1, None where it was not published.
        source: where it stands.
        caveat: what keeps it from being the same measurement, whatever the run; empty if nothing is known.
    """

    model: str
    weights: str
    image_size: int
    val_accuracy: float | None
    test_accuracy: float | None
    source: str
    caveat: str = ""


PUBLISHED = (
    Published(
        "VGG13, probabilistic label drawing",
        "none",
        64,
        None,
        0.8499,
        "Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label "
        "Distribution (arXiv 1608.01041)",
        "the paper's own choice of test rows, not shown to be the same",
    ),
    Published(
        "SENet50",
        "VGGFace2",
        224,
        0.898,
        0.888,
        "Albanie et al. 2018, Emotion Recognition in Speech using Cross-Modal Transfer in the Wild; both figures in "
        "the README of its code, mcnCrossModalEmotions",
    ),
)
"""Each published row, in the order in which the page shows them, after the recipes that metrics.json names."""
