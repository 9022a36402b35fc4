"""What may vary. Each file declares one space; adding one is a file and a line in SPACES."""

from __future__ import annotations

from spaces import baseline, ferplus, small, transfer
from spaces.space import Space

SPACES: dict[str, Space] = {
    "ferplus": Space(ferplus.ferplus, ferplus.RECIPES, epochs=30, retrain_epochs=60),
    "baseline": Space(baseline.baseline, baseline.RECIPES, epochs=30, retrain_epochs=60),
    # A quarter of the faces tells good from bad on real FER+; the retraining then has them all.
    "small": Space(small.small, small.RECIPES, epochs=9, retrain_epochs=12, search_fraction=0.25),
    "transfer": Space(transfer.transfer, transfer.RECIPES, epochs=4, retrain_epochs=8, search_fraction=0.25),
    "demo": Space(small.demo, small.DEMO_RECIPES, epochs=4, retrain_epochs=6),
}
"""The spaces by the names that `--space` takes."""

ALIASES = {"seed": "baseline"}
"""Other names that `--space` takes -> the space's."""
