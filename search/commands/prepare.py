"""prepare: data, read and checked ahead."""

from __future__ import annotations

from pathlib import Path

import attrs

from ferplus_data.console import say
from search.commands.study_options import SayingOptions
from search.study import options as o
from search.study.options import option

EXAMPLES = ("prepare --data PATH/TO/FERPLUS", "prepare --data PATH/TO/FERPLUS --photographs photographs.csv")


@attrs.frozen(kw_only=True, slots=False)
class PrepareOptions(SayingOptions):
    """Which data."""

    data: str = option(
        o.text("DATA"),
        "Folder with FER+ images or CSV files, or 'demo' for generated faces.",
        o.INPUT,
        default="demo",
    )
    photographs: Path | None = option(
        o.path("FILE.csv"),
        "Write split, image name and photograph of every kept face: the same number where faces show the same photograph.",
        o.OUTPUT,
    )


def run(options: PrepareOptions) -> None:
    """Read and check the data once, ahead of a search, and show its counts."""
    from ferplus_data.dataset import load_dataset
    from ferplus_data.labels import EMOTIONS
    from ferplus_data.photographs.table import check_place, write_table
    from ferplus_data.store import open_faces
    from models.metrics.ties import label_noise

    if options.photographs is not None:
        check_place(options.photographs)
    splits = ("train", "val", "test")
    dataset = load_dataset(options.data)
    say(f"{dataset.source}  fingerprint {dataset.fingerprint[:12]}")
    say(f"{'':12}" + "".join(f"{name:>8}" for name in splits))
    counts = dataset.class_counts
    for i, emotion in enumerate(EMOTIONS):
        say(f"{emotion:12}" + "".join(f"{counts[name][i]:8,}" for name in splits))
    say(f"{'all':12}" + "".join(f"{counts[name].sum():8,}" for name in splits))
    say(
        f"{'photographs':12}"
        + "".join(f"{len(set(getattr(dataset, name).photographs)):8,}" for name in splits)
    )
    say(f"{'in training':12}{'':8}{dataset.val.in_training.sum():8,}{dataset.test.in_training.sum():8,}")
    for rule, kept in dataset.kept.items():
        say(f"{'by ' + rule:12}" + "".join(f"{count:8,}" for count in kept))
    say(f"labels from {dataset.labels_source}")
    noise = label_noise(dataset.train, dataset.labels_source)
    if noise is not None:
        low, high = noise["interval"]
        say(
            f"label noise: of {noise['pairs']:,} training images that were voted on twice, {noise['repeat']:.1%} ({low:.1%} to "
            f"{high:.1%}) got one label; the best possible accuracy is about {noise['ceiling']:.1%}"
        )
    if options.photographs is not None:
        write_table(options.photographs, dataset, open_faces(options.data).names)
        say(f"photographs {options.photographs}")
