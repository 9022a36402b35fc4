"""What a cached trial is fed with: the prefix's activations of every image, and when that pays."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferplus_data.augment import augment
from ferplus_data.batches import Batches
from ferplus_data.dataset import Split
from models.frozen_prefix.cache import Activations, CacheError, PrefixCache
from models.hyperparameters import Acts
from models.networks.compiled import Network
from models.recipe import Recipe

CHUNK = 64
"""Images that a prefix takes at once."""


@dataclass(frozen=True)
class Caching:
    """How trials use the prefix cache.

    Attributes:
        cache: Where the activations are kept.
        views: Augmented views of each image, at least 1; epoch e trains on view e modulo `views`. As many views as epochs are
            no approximation, and no saving within one trial.
        trials_per_prefix: Recipe -> trials that are expected to use its prefix's activations, 1 or more: those that freeze as
            much, and those that freeze more and go on from them.
    """

    cache: PrefixCache
    views: int = 4
    trials_per_prefix: Callable[[Recipe], float] = lambda recipe: 1.0


@dataclass(frozen=True)
class PrefixCost:
    """What the prefix costs for an image.

    Attributes:
        whole: Seconds to compute its activations from the face, as an uncached step does.
        rest: Seconds to compute them from what the cache holds of a shorter prefix; without that the same as `whole`.
        transfer: Seconds to write them, or to read them.
        size: Their bytes.
    """

    whole: float
    rest: float
    transfer: float
    size: int


class ActivationBatches(Batches):
    """`Batches` whose inputs are activations, of the epoch's view.

    Args:
        view_of: epoch from 0 -> the activations of the split's rows.
        options: as for `Batches`.
    """

    def __init__(self, split: Split, view_of: Callable[[int], Activations], **options: object) -> None:
        super().__init__(split, **options)  # type: ignore[arg-type]
        self._view_of = view_of

    def inputs(self, chosen: NDArray[np.int64], index: int) -> NDArray:
        return self._view_of(self.epoch).take(chosen)


class PrefixActivations:
    """The activations that one trial needs: those of the validation split and of each view of the training split.

    Args:
        network: With a prefix.
        recipe: The network's; its augmentation makes the views.
        seed: Of the augmentation.
        caching: Where they are kept and how many views there are.
        data: Fingerprint of the data set.
        say: Takes a line for the user.
        on_chunk: Told (done, of) images while activations are computed.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        seed: int,
        caching: Caching,
        data: str,
        say: Callable[[str], None],
        on_chunk: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        self._network, self._recipe, self._seed = network, recipe, seed
        self._caching, self._data, self._say = caching, data, say
        self._on_chunk = on_chunk
        self._views: dict[int, Activations] = {}
        self._validation_seconds = 0.0

    def validation(self, split: Split) -> Activations:
        """Those of `split` as it is; raises CacheError."""
        activations = self._get(split, None)
        self._validation_seconds = activations.seconds
        return activations

    def prepare(self, split: Split, epoch: int) -> None:
        """Have the view of `epoch` (from 0) ready. If a later view than the first cannot be had, an earlier one stands in.

        Raises:
            CacheError: There is no view at all.
        """
        view = self._view(epoch)
        if view in self._views:
            return
        try:
            self._views[view] = self._get(split, view)
        except CacheError as error:
            if not self._views:
                raise
            self._say(f"{error}; training goes on with {len(self._views)} views")
            self._views[view] = list(self._views.values())[view % len(self._views)]

    def view_of(self, epoch: int) -> Activations:
        """The prepared view of `epoch`."""
        return self._views[self._view(epoch)]

    @property
    def prefix_seconds(self) -> float:
        """What the prefix took for both splits when their activations were computed: what an uncached epoch spends on it."""
        return self._validation_seconds + max(view.seconds for view in self._views.values())

    def pays(self, train: Split, val: Split, epochs: int) -> tuple[bool, str]:
        """Return whether the cache saves time, and why: a line for the log.

        Compared are the seconds that the prefix costs over all epochs. Uncached, every epoch runs it over both splits.
        Cached, each view that is not there yet is computed, from a shorter prefix's where they are there, and written once,
        at a cost shared by the trials that will use it, and every epoch reads what it needs.
        """
        views = min(epochs, self._caching.views if self._augmented else 1)
        cache = self._caching.cache
        missing = [v for v in range(views) if not cache.has(self._identity(train, v))]
        name = f"prefix cache, cut after {self._network.prefix.layers[-1].name}"  # type: ignore[union-attr]
        if not missing and cache.has(self._identity(val, None)):
            return True, f"{name}: used, all {views} views are there"
        cost = self.measure(train, missing[0] if missing else 0)
        kilobytes = f"{cost.size / 1000:.0f} kB an image"
        need = cost.size * (len(train) + len(val))
        if need > cache.max_bytes:
            return False, (
                f"{name}: not used, one view takes {need / 1e9:.1f} GB ({kilobytes}), more than the "
                f"{cache.max_bytes / 1e9:.1f} GB there are for it"
            )
        uncached = epochs * (len(train) + len(val)) * cost.whole
        build = (len(missing) * len(train) + len(val)) * (cost.rest + cost.transfer)
        read = epochs * (len(train) + len(val)) * cost.transfer
        cached = build / self._caching.trials_per_prefix(self._recipe) + read
        pays = cached < uncached
        return pays, (
            f"{name}: {'used' if pays else 'not used'}, {kilobytes}, {len(missing)} of {views} views to compute, "
            f"{uncached:.0f} s of prefix uncached against {cached:.0f} s"
        )

    @property
    def _augmented(self) -> bool:
        return self._recipe.augmentation != "none"

    def _view(self, epoch: int) -> int:
        return epoch % self._caching.views if self._augmented else 0

    def _identity(self, split: Split, view: int | None, position: int | None = None) -> dict[str, object]:
        """What the activations after `position` (None: those of the prefix) are, as the cache knows them. The fingerprint tells
        the layers and their weights; the recipe is in it besides, so that nothing it may come to hold can be overlooked.

        Args:
            view: None: the split as it is.
        """
        fingerprints = self._network.fingerprints
        plain = {Acts.DATA} if view is None else set()
        return {
            "prefix": fingerprints[max(fingerprints) if position is None else position],
            "data": self._data,
            "rows": hashlib.sha256(np.ascontiguousarray(split.rows).tobytes()).hexdigest(),
            "recipe": self._recipe.key(harmless={Acts.TRACE, Acts.STEP} | plain),
            "seed": self._seed if self._augmented and view is not None else 0,
            "view": view,
        }

    def _get(self, split: Split, view: int | None) -> Activations:
        return self._caching.cache.get(
            self._identity(split, view),
            len(split),
            lambda: self._compute(split, view),
            on_wait=lambda: self._say("waiting for another worker, which computes the same activations"),
        )

    def _compute(self, split: Split, view: int | None) -> Iterator[NDArray]:
        run = self._runner(split, view, *self._earlier(split, view))
        for start in range(0, len(split), CHUNK):
            yield run(start)
            self._on_chunk(min(start + CHUNK, len(split)), len(split))

    def _runner(
        self, split: Split, view: int | None, position: int | None = None, earlier: Activations | None = None
    ) -> Callable[[int], NDArray[np.float32]]:
        """Position in the split, a multiple of CHUNK -> the prefix's output for the CHUNK images from there on (or fewer),
        computed from the faces, or from the `earlier` activations after the layer at `position`."""
        model = self._network.prefix_from(position)

        def run(start: int) -> NDArray[np.float32]:
            chosen = np.arange(start, min(start + CHUNK, len(split)))
            inputs: NDArray
            if earlier is not None:
                inputs = earlier.take(chosen)
            else:
                images = np.asarray(split.images[split.rows[chosen]])
                if view is not None:
                    chunk_seed = np.random.SeedSequence((self._seed, view, start // CHUNK)).generate_state(1)[
                        0
                    ]
                    images = augment(self._recipe.augmentation, int(chunk_seed))(images)
                inputs = images[..., None]
            # A smaller batch is filled up, so that one graph serves all.
            filled = np.resize(inputs, (CHUNK, *inputs.shape[1:]))
            return np.asarray(model.predict_on_batch(filled), np.float32)[: len(chosen)]

        return run

    def _earlier(self, split: Split, view: int | None) -> tuple[int | None, Activations | None]:
        """The cached activations of the longest shorter prefix, with the position of its last layer, to go on from."""

        def gone() -> Iterator[NDArray]:
            raise CacheError("an entry that was there has gone")

        for position in sorted(self._network.fingerprints)[-2::-1]:
            identity = self._identity(split, view, position)
            if self._caching.cache.has(identity):
                with contextlib.suppress(CacheError):  # the images are still there to begin with
                    return position, self._caching.cache.get(identity, len(split), gone)
        return None, None

    def measure(self, split: Split, view: int) -> PrefixCost:
        """Return what an image of `split` costs, seen on a chunk of them."""

        def seconds(run: Callable[[int], NDArray[np.float32]]) -> float:
            run(0)  # traces the graph
            start = time.perf_counter()
            run(0)
            return (time.perf_counter() - start) / CHUNK

        run = self._runner(split, view)
        whole = rest = seconds(run)
        position, earlier = self._earlier(split, view)
        if earlier is not None:
            rest = seconds(self._runner(split, view, position, earlier))
        activations = run(0)
        start = time.perf_counter()
        activations.astype(np.float16).astype(np.float32)  # the memory traffic of a stored and a read chunk
        transfer = (time.perf_counter() - start) / len(activations)
        return PrefixCost(whole, rest, transfer, activations[0].size * 2)
