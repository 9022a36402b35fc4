"""The Keras Tuner tuner that runs the trials."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from ferplus_data.dataset import Dataset, Split
from ferplus_data.files import write_text
from models.frozen_prefix.activations import Caching
from models.networks.compiled import Networks
from models.recipe import Recipe
from models.training.checkpoints import Checkpoints
from models.training.history import Epoch, readable_history
from models.training.loop import train
from models.training.settings import Listener, Settings
from search.console.progress import Progress
from search.oracles.limits import Limits
from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.protocol import TrialOracle
from search.oracles.space.search_space import SpaceModel
from search.storages.retrying import StorageLost
from search.storages.trial_life import counted
from search.storages.trial_store import TrialStore
from search.study.run_directory import RunDirectory
from search.workers import preemption
from search.workers.checkpoint_store import Artifacts
from search.workers.time_budget import Clock

_IDLE_SECONDS = 1.0
_TIME_IS_UP = "the time for it is over"
_HURRY_SECONDS = 4.0
"""How long an interrupted process tries to reach its storage. If it cannot, its trial is found by its missing heartbeat."""


class SearchIsOver(keras_tuner.errors.FatalError):
    """The search ends in the middle of a trial, which is released; the message says why."""


class _Away(keras_tuner.errors.FatalError):
    """Carries a StorageLost through Keras Tuner, which else would take it for a failure of the trial."""


class _TrialLost(Exception):
    """The trial is in other hands."""


class FERPlusTuner(BaseTuner):
    """Runs the trials that an oracle hands out: hyperparameters -> recipe -> training, in `runs/STUDY/trials/NNNN`.

    Args:
        oracle: An `OptunaOracle` or one of Keras Tuner's, recorded in the study.
        model: The space.
        dataset: Its validation split scores the trials; its test split is not touched.
        train_split: The rows that trials train on.
        run: Where trials leave their files.
        epochs: Most epochs of a trial.
        weights_for: Backbone -> the weights it starts from, as `models.networks.build.build_model` takes them.
        seed: Of every trial's training.
        precision: Of every trial's training.
        caching: How trials use the prefix cache; None: not at all.
        clock: Says when the search has to end.
        progress: Told what happens.
        limits: What trials are judged by, and what ends the search in the middle of one.
        trial_timeout: Seconds of training after which a trial ends with its epoch.
        replicas: GPUs that share each batch of a trial.
        artifacts: Where checkpoints go besides the run directory.

    Attributes:
        stopped_because: Why the search has ended, where it was not the oracle that had no more.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        model: SpaceModel,
        *,
        dataset: Dataset,
        train_split: Split,
        run: RunDirectory,
        epochs: int,
        weights_for: Callable[[str], str],
        seed: int,
        precision: str,
        caching: Caching | None,
        clock: Clock,
        progress: Progress,
        limits: Limits,
        trial_timeout: float | None = None,
        replicas: int = 1,
        artifacts: Artifacts | None = None,
    ) -> None:
        self._run = run
        super().__init__(oracle, model, directory=run.path, project_name="keras_tuner")
        self._limits, self._trial_timeout = limits, trial_timeout
        self._replicas, self._artifacts = replicas, artifacts
        self.oracle: TrialOracle
        self._store: TrialStore | None = getattr(oracle, "store", None)
        if not self._has_study():
            from search.workers.chief import ChiefClient

            known = isinstance(oracle, OptunaOracle)
            self.oracle = ChiefClient(self.oracle, oracle.store.storage.grace if known else None)
        self._idle = False
        self._dataset, self._train_split = dataset, train_split
        self._epochs, self._weights_for, self._seed = epochs, weights_for, seed
        self._precision, self._caching = precision, caching
        self._clock, self._progress = clock, progress
        self._networks = Networks()
        self._asked = time.monotonic()
        self.stopped_because: str | None = None

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Run trials until the oracle has no more, or time is up.

        Raises:
            KeyboardInterrupt: Interrupted; the trial under way has been released.
            Preempted: SIGTERM has come; the same.
            StorageLost: The storage has gone.
        """
        try:
            with preemption.at_last(self._release):
                super().search(*fit_args, **fit_kwargs)
        except SearchIsOver as over:
            self._release()
            self.stopped_because = str(over)
        except _Away as error:
            assert error.__cause__ is not None
            raise error.__cause__ from None
        except keras_tuner.errors.FatalError:
            self._release()
            if self.oracle.stopped_because is None:
                raise
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._store is not None:
            self._store.storage.retry_seconds = _HURRY_SECONDS
        with contextlib.suppress(StorageLost):
            for trial in list(self.oracle.ongoing_trials.values()):
                self.oracle.release(trial)

    def on_search_begin(self) -> None:
        self.save()  # so that Keras Tuner's own oracles find, after an interruption in the first trial, what they had begun

    def save(self) -> None:
        if isinstance(self.oracle, keras_tuner.Oracle) and not isinstance(self.oracle, OptunaOracle):
            self.oracle.save()

    def reload(self) -> None:
        if isinstance(self.oracle, keras_tuner.Oracle):
            self.oracle.reload()

    def _get_tuner_fname(self) -> str:
        # Whether there is something to reload. The tuner has no state beside its oracle's.
        return str(self._run.path / "keras_tuner" / "oracle.json")

    def pre_create_trial(self) -> None:
        if self._clock.search_is_over():
            raise SearchIsOver(_TIME_IS_UP)
        if self._idle:  # the answer to the last question was that what is left is in other hands
            preemption.wait(_IDLE_SECONDS)
        preemption.check()
        self._idle, self._asked = True, time.monotonic()

    def on_trial_begin(self, trial: Trial) -> None:
        self._waited = time.monotonic() - self._asked
        self._idle = False
        self._progress.trial_begins(self.oracle.number(trial.trial_id), trial.hyperparameters.values)

    def _has_study(self) -> bool:
        """Not so as a worker of Keras Tuner's chief."""
        return isinstance(self.oracle, keras_tuner.Oracle)

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Train one configuration. Every epoch is reported as it ends, so nothing is returned."""
        number = self.oracle.number(trial.trial_id)
        values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
        epochs = trial.hyperparameters.values.get("tuner/epochs", self._epochs)
        record: dict[str, Any] = {"times": {"oracle": self._waited}}

        directory = self._run.trial(number)
        known = self._restore(trial, number)
        objective, seconds = self._limits.objective, 0.0

        def on_batch(epoch: int, batch: int, batches: int) -> None:
            preemption.check()
            if self.oracle.is_lost(trial.trial_id):
                raise _TrialLost
            self._progress.batch_ends(epoch, epochs, batch, batches)

        def on_epoch(epoch: Epoch) -> bool:
            nonlocal seconds
            seconds += epoch.seconds
            late = epoch.epoch < epochs and self._trial_timeout is not None and seconds > self._trial_timeout
            if late:
                record["ended_early"] = (
                    f"{seconds:.0f} s after epoch {epoch.epoch} of {epochs}, allowed were {self._trial_timeout:g}"
                )
            if self._artifacts is not None and epoch.epoch > known:
                self._artifacts.save(directory, number, epoch.epoch)
            self._progress.epoch_ends(epoch, epochs)
            self._clock.epoch_took(epoch.epoch, epoch.seconds, len(self._train_split))
            began = time.monotonic()
            self.oracle.record(trial.trial_id, record)
            updated = self.oracle.update_trial(
                trial.trial_id,
                {f"val_{objective}": epoch.metrics[objective]},
                step=epoch.epoch,
            )
            record["times"]["oracle"] += time.monotonic() - began
            if updated.status == TrialStatus.STOPPED or late:
                return True
            if epoch.epoch < epochs:
                self._check_over()
            return False

        recipe = Recipe.from_hyperparameters(values)
        promoted_from = getattr(self.oracle, "promoted_from", lambda trial: None)(trial)
        train(
            recipe,
            self._dataset,
            directory=directory,
            epochs=epochs,
            settings=Settings(
                weights=self._weights_for(recipe.backbone),
                seed=self._seed,
                precision=self._precision,
                objective=objective,
                replicas=self._replicas,
                train_split=self._train_split,
                after=None if promoted_from is None else self._run.trial(promoted_from),
            ),
            networks=self._networks,
            caching=self._caching,
            listener=Listener(on_epoch, on_batch, self._progress.say, record),
        )

    def _check_over(self) -> None:
        """Raise SearchIsOver if the search ends in the middle of a trial."""
        if self._clock.search_is_over():
            raise SearchIsOver(_TIME_IS_UP)
        if self._limits and self._store is not None:
            reached = self._limits.reached(counted(self._store.read()))
            if reached is not None:
                raise SearchIsOver(reached)

    def _restore(self, trial: Trial, number: int) -> int:
        """Fetch the checkpoint of a trial that was begun elsewhere; return its last epoch that is known."""
        known = self.oracle.epochs(trial.trial_id)
        directory = self._run.trial(number)
        if self._artifacts is not None and len(readable_history(directory / "history.csv")) < known:
            self._artifacts.restore(directory, number, known)
        return known

    def _run_and_update_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        # Keras Tuner's own would report the result once more.
        try:
            self.run_trial(trial, *fit_args, **fit_kwargs)
        except StorageLost as error:
            raise _Away from error

    def on_trial_end(self, trial: Trial) -> None:
        number = self.oracle.number(trial.trial_id)
        if self.oracle.is_lost(trial.trial_id):
            # Its files are another's now.
            self.oracle.release(trial)
            self._progress.say(f"trial {number:>3} was held up too long and has gone to another worker")
            return
        if trial.status != TrialStatus.COMPLETED and trial.message:
            write_text(self._run.trial(number) / "error.txt", trial.message)
        rests = self.oracle.is_resting(trial.trial_id)
        try:
            super().on_trial_end(trial)
        finally:  # also where the oracle ends the search with this trial
            if not rests:
                Checkpoints(self._run.trial(number)).finish()
            self._progress.trial_ends(number)
