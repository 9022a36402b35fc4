"""Published accuracies on FER+, to set a run beside, each with its rows."""

from __future__ import annotations

from dataclasses import dataclass

from ferplus_data.label_files import CSV, LABEL_FILES, MICROSOFT


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
        labels: the key of `label_files.LABEL_FILES` that its rows and labels are from.
        test_sample: how many of the test rows it was measured on, drawn at random; None: all.
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
    labels: str = CSV
    test_sample: int | None = None

    @property
    def rows(self) -> dict[str, int]:
        """ "val" and "test" -> the rows that its rule keeps; empty where that is not known."""
        if not self.protocol:
            return {}
        _, val, test = LABEL_FILES[self.labels].kept[self.protocol]
        return {"val": val, "test": test}

    @property
    def rows_in_words(self) -> str:
        """Its rows, its rule for them and its labels."""
        if not self.protocol:
            return "rows not told"
        test = f"{self.rows['test']:,} test rows"
        if self.test_sample is not None:
            test = f"{self.test_sample:,} of the {test}, drawn at random"
        return f"{test}, by the rule {self.protocol} of {self.labels}"


_ALBANIE = (
    "Albanie et al. 2018, Emotion Recognition in Speech using Cross-Modal Transfer in the Wild; README of its code, "
    "mcnCrossModalEmotions"
)
_RAN = "trained on training and validation together, on aligned faces; not read whether its rows are those of RAN's lists"
"""RAN's lists (kaiwang960112/Challenge-condition-FER-dataset: 28,236 rows to train on, 3,137 to test) are, row by row and label
by label, what the rule microsoft keeps of microsoft/FERPlus's label.csv."""


def _later(model: str, accuracy: float, source: str, caveat: str = "") -> Published:
    """One of the papers that start from face recognition and say little of their rows."""
    return Published(
        model,
        "face recognition",
        None,
        None,
        accuracy,
        source,
        "microsoft",
        caveat=caveat or _RAN,
        labels=MICROSOFT,
    )


PUBLISHED = (
    Published("SENet50", "VGGFace2", 224, 0.898, 0.888, _ALBANIE, "cntk", read=True),
    Published("ResNet50", "VGGFace2", 224, 0.890, 0.876, _ALBANIE, "cntk", read=True),
    Published(
        "VGG13, probabilistic label drawing",
        "none",
        64,
        None,
        0.8499,
        "Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label "
        "Distribution (arXiv 1608.01041)",
        "microsoft",
        caveat="which of the two label files it used was not read",
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
        caveat="its lists of rows are not published with its code",
        labels=MICROSOFT,
    ),
)
"""Each published row, in the order in which the page shows them, after the recipes that metrics.json names."""


def published_on(protocol: str, test_rows: int) -> list[Published]:
    """The published figures that are known to be of the `test_rows` test rows that the rule `protocol` keeps."""
    return [
        one
        for one in PUBLISHED
        if one.protocol == protocol and one.rows.get("test") == test_rows and not one.caveat
    ]
