"""Published accuracies on FER+, to set a run beside, each with its rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published result.

    Attributes:
        model: network and, where there is a choice, the training target.
        weights: what it started from, "none" for random weights.
        image_size: side in pixels that the network saw, None where it is not known.
        val_accuracy, test_accuracy: 0 to 1, None where it was not published.
        source: where it stands.
        protocol: the rule that chose its rows: baseline, microsoft or cntk; empty where it is another or not known.
        read: whether the figures were read at the source, and not in another's words.
        caveat: what keeps it from being the same measurement, whatever the run; empty if nothing is known.
        val_rows, test_rows: how many rows it was measured on, None where it is not known.
    """

    model: str
    weights: str
    image_size: int | None
    val_accuracy: float | None
    test_accuracy: float | None
    source: str
    protocol: str = ""
    read: bool = False
    caveat: str = ""
    val_rows: int | None = None
    test_rows: int | None = None

    @property
    def rows(self) -> str:
        """Its rows in words."""
        if self.test_rows is None:
            return "rows not told"
        val = f"{self.val_rows:,} validation and " if self.val_rows else ""
        rule = f" by the rule {self.protocol}" if self.protocol else ""
        return f"{val}{self.test_rows:,} test rows{rule}"


_ALBANIE = (
    "Albanie et al. 2018, Emotion Recognition in Speech using Cross-Modal Transfer in the Wild; README of its code, "
    "mcnCrossModalEmotions"
)
_ALIGNED = "aligned faces, test rows after alignment (RAN's lists: 3,137), trained on training and validation together"


def _later(model: str, accuracy: float, source: str, caveat: str = "") -> Published:
    """One of the papers that start from face recognition and say little of their rows."""
    return Published(
        model, "face recognition", None, None, accuracy, source, caveat=caveat or _ALIGNED, test_rows=3137
    )


PUBLISHED = (
    Published(
        "SENet50", "VGGFace2", 224, 0.898, 0.888, _ALBANIE, "cntk", read=True, val_rows=3318, test_rows=3294
    ),
    Published(
        "ResNet50", "VGGFace2", 224, 0.890, 0.876, _ALBANIE, "cntk", read=True, val_rows=3318, test_rows=3294
    ),
    Published(
        "VGG13, probabilistic label drawing",
        "none",
        64,
        None,
        0.8499,
        "Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label "
        "Distribution (arXiv 1608.01041)",
        "microsoft",
        test_rows=3153,
    ),
    Published(
        "VGG13, majority, mean of five",
        "none",
        64,
        0.8332,
        0.8333,
        "README of rezafuad/ferplus-keras",
        read=True,
        caveat="its rule for the rows is not told",
    ),
    _later("VTFF", 0.8881, "Ma et al. 2021 (arXiv 2103.16854)"),
    _later("Heidari and Iosifidis", 0.8934, "Heidari and Iosifidis 2022 (arXiv 2210.09381)"),
    _later("EAC", 0.8964, "Zhang et al. 2022 (arXiv 2207.10299)"),
    _later("DDAMFN", 0.9074, "Zhang et al. 2023, Electronics 12(17) 3595"),
    _later("POSTER++", 0.9228, "Mao et al. 2023 (arXiv 2301.12149)"),
    Published(
        "QCS (91.85% with its tricks)",
        "face recognition",
        None,
        None,
        0.9141,
        "Wang et al. 2024, README of birdwcp/QCS",
        "microsoft",
        read=True,
        test_rows=3153,
    ),
)
"""Each published row, in the order in which the page shows them, after the recipes that metrics.json names."""


def published_on(protocol: str, test_rows: int) -> list[Published]:
    """The published figures that were measured on the `test_rows` test rows that the rule `protocol` keeps."""
    return [one for one in PUBLISHED if (one.protocol, one.test_rows) == (protocol, test_rows)]
