"""The Keras Tuner tuner that runs the trials."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from ferplus_data.files import write_text
from models.networks.compiled import Networks
from models.recipe import Recipe
from models.training.checkpoints import Checkpoints
from models.training.history import Epoch, readable_history
from models.training.loop import train
from models.training.settings import Listener
from search.console.progress import Progress
from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.protocol import ClaimingOracle, TrialOracle
from search.oracles.space.search_space import SpaceModel
from search.storages.retrying import StorageLost
from search.storages.trial_life import counted
from search.storages.trial_store import TrialStore
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord, record_in
from search.workers import preemption
from search.workers.running_trial import RunningTrial
from search.workers.time_budget import TimeBudget
from search.workers.trial_settings import TrialSettings

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
        settings: How trials are run.
        run: Where trials leave their files.
        time_budget: Says when the search has to end.
        progress: Told what happens.
        follow: Called between trials, after every epoch and at the end, to tell of the trials of other processes.

    Attributes:
        stopped_because: Why the search has ended, where it was not the oracle that had no more.
    """

    def __init__(
        self,
        oracle: ClaimingOracle,
        model: SpaceModel,
        *,
        settings: TrialSettings,
        run: RunDirectory,
        time_budget: TimeBudget,
        progress: Progress,
        follow: Callable[[], None] = lambda: None,
    ) -> None:
        self._run, self._follow = run, follow
        super().__init__(oracle, model, directory=run.path, project_name="keras_tuner")
        self.oracle: TrialOracle
        # None as a worker of Keras Tuner's chief, which alone knows the study.
        self._store: TrialStore | None = oracle.store if isinstance(self.oracle, ClaimingOracle) else None
        if self._store is None:
            from search.workers.chief import ChiefClient

            known = isinstance(oracle, OptunaOracle)
            self.oracle = ChiefClient(self.oracle, oracle.store.storage.grace if known else None)
        self._idle, self._asked = False, time.monotonic()
        self._settings, self._time_budget, self._progress = settings, time_budget, progress
        self._networks = Networks()
        self.stopped_because: str | None = None

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Run trials until the oracle has no more, or time is up.

        Raises:
            KeyboardInterrupt, Preempted: Interrupted, or SIGTERM has come; the trial under way has been released.
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
        self._follow()

    def _release(self) -> None:
        if self._store is not None:
            self._store.storage.retry_seconds = _HURRY_SECONDS
        with contextlib.suppress(StorageLost):
            for trial in list(self.oracle.ongoing_trials.values()):
                self.oracle.release(trial)

    def on_search_begin(self) -> None:
        self.save()  # so that Keras Tuner's own oracles find, after an interruption in the first trial, what they had begun

    def save(self) -> None:
        if isinstance(self.oracle, ClaimingOracle):
            self.oracle.save()

    def reload(self) -> None:
        if isinstance(self.oracle, ClaimingOracle):
            self.oracle.reload()

    def _get_tuner_fname(self) -> str:
        # Private, Keras Tuner 1.4.8: its constructor reloads where this file is, and asks nothing public. The tuner has no state
        # beside its oracle's.
        return str(self._run.path / "keras_tuner" / "oracle.json")

    def pre_create_trial(self) -> None:
        if self._time_budget.search_is_over():
            raise SearchIsOver(_TIME_IS_UP)
        if self._idle:  # the answer to the last question was that what is left is in other hands
            preemption.wait(_IDLE_SECONDS)
            self._follow()
        preemption.check()
        self._idle, self._asked = True, time.monotonic()

    def on_trial_begin(self, trial: Trial) -> None:
        self._waited, self._idle = time.monotonic() - self._asked, False
        self._follow()
        number = self.oracle.number(trial.trial_id)
        self._progress.trial_begins(number, trial.hyperparameters.values)
        self._tell(self._progress.callbacks.on_trial_begin, trial, number)

    def _tell(self, told: Callable[[TrialRecord], None], trial: Trial, number: int) -> None:
        """Tell callbacks of a trial, which is read from its study only where there are some."""
        if self._progress.callbacks.search:
            told(record_in(self._store, self._run, number, trial.hyperparameters.values))

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Train one configuration. Every epoch is reported as it ends, so nothing is returned."""
        number = self.oracle.number(trial.trial_id)
        values = trial.hyperparameters.values
        recipe = Recipe.from_hyperparameters(
            {k: v for k, v in values.items() if not k.startswith("tuner/")}  # Keras Tuner's Hyperband's own
        )
        settings = self._settings.training(recipe.backbone)
        promoted_from = self.oracle.promoted_from(trial)
        if promoted_from is not None:
            settings = replace(settings, after=self._run.trial(promoted_from))
        known = self._restore(trial, number)
        running = RunningTrial(
            trial,
            number,
            epochs=values.get("tuner/epochs", self._settings.epochs),
            known=known,
            rows=len(settings.train_split or self._settings.dataset.train),
            earlier=self._store.get(number).user_attrs if known and self._store else {},
            record={"times": {"oracle": self._waited}},
        )
        train(
            recipe,
            self._settings.dataset,
            directory=self._run.trial(number),
            epochs=running.epochs,
            settings=settings,
            networks=self._networks,
            caching=self._settings.caching,
            listener=Listener(
                functools.partial(self._epoch_ends, running),
                functools.partial(self._batch_ends, running),
                self._progress.say,
                running.record,
                self._settings.callbacks(),
            ),
        )

    def _batch_ends(self, running: RunningTrial, epoch: int, batch: int, batches: int) -> None:
        preemption.check()
        if self.oracle.is_lost(running.trial.trial_id):
            raise _TrialLost
        self._progress.batch_ends(epoch, running.epochs, batch, batches)

    def _epoch_ends(self, running: RunningTrial, epoch: Epoch) -> bool:
        """Store and report an epoch; return whether it is the trial's last."""
        trial_id, checkpoints = running.trial.trial_id, self._settings.checkpoint_store
        late = running.is_late(epoch, self._settings.timeout)
        if checkpoints is not None and epoch.epoch > running.known:
            checkpoints.save(self._run.trial(running.number), running.number, epoch.epoch)
        if epoch.epoch > running.known:
            self._progress.epoch_ends(epoch, running.epochs)
            told = self._progress.callbacks.on_epoch_end
            self._tell(lambda one: told(one, epoch.epoch, epoch.row()), running.trial, running.number)
        self._time_budget.epoch_took(epoch.epoch, epoch.seconds, running.rows)
        objective = self._settings.limits.objective
        began = time.monotonic()
        self.oracle.annotate(trial_id, running.in_all())
        updated = self.oracle.update_trial(
            trial_id, {f"val_{objective}": epoch.metrics[objective]}, step=epoch.epoch
        )
        running.record["times"]["oracle"] += time.monotonic() - began
        if epoch.epoch > running.known:
            self._follow()
        if updated.status == TrialStatus.STOPPED or late:
            return True
        if epoch.epoch < running.epochs:
            self._check_over()
        return False

    def _check_over(self) -> None:
        """Raise SearchIsOver if the search ends in the middle of a trial."""
        if self._time_budget.search_is_over():
            raise SearchIsOver(_TIME_IS_UP)
        limits = self._settings.limits
        if limits and self._store is not None:
            reached = limits.reached(counted(self._store.read()))
            if reached is not None:
                raise SearchIsOver(reached)

    def _restore(self, trial: Trial, number: int) -> int:
        """Fetch the checkpoint of a trial that was begun elsewhere; return its last epoch that is known."""
        known = self.oracle.epochs(trial.trial_id)
        directory, checkpoints = self._run.trial(number), self._settings.checkpoint_store
        if checkpoints is not None and len(readable_history(directory / "history.csv")) < known:
            checkpoints.restore(directory, number, known)
        return known

    def _run_and_update_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        # Private, Keras Tuner 1.4.8: its own asks the oracle for the trial once more, and has a `run_trial` that reports its
        # epochs itself, as only that can, for deprecated.
        try:
            self.run_trial(trial, *fit_args, **fit_kwargs)
        except StorageLost as error:
            raise _Away from error

    def on_trial_end(self, trial: Trial) -> None:
        number = self.oracle.number(trial.trial_id)
        if self.oracle.is_lost(trial.trial_id):
            # Its files are another's now.
            self.oracle.release(trial)
            self._progress.say(f"trial {number:>3} was suspended too long and has gone to another worker")
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
            self._tell(self._progress.callbacks.on_trial_end, trial, number)
