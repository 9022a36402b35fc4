"""prepare: data, read and checked ahead."""

from __future__ import annotations

import attrs

from search.console.study_options import SayingOptions
from search.study import options as o
from search.study.options import option

EXAMPLES = ("prepare --data PATH/TO/FERPLUS",)


@attrs.frozen(kw_only=True, slots=False)
class PrepareOptions(SayingOptions):
    """Which data."""

    data: str = option(
        o.text("DATA"),
        "Folder with FER+ images or CSV files, or 'demo' for generated faces.",
        o.READING,
        default="demo",
    )


def run(options: PrepareOptions) -> None:
    """Read and check the data once, ahead of a search, and show its counts."""
    from ferplus_data.dataset import load_dataset
    from ferplus_data.labels import EMOTIONS

    splits = ("train", "val", "test")
    dataset = load_dataset(options.data)
    print(f"{dataset.source}  fingerprint {dataset.fingerprint[:12]}")
    print(f"{'':12}" + "".join(f"{name:>8}" for name in splits))
    counts = dataset.class_counts
    for i, emotion in enumerate(EMOTIONS):
        print(f"{emotion:12}" + "".join(f"{counts[name][i]:8,}" for name in splits))
    print(f"{'all':12}" + "".join(f"{counts[name].sum():8,}" for name in splits))
