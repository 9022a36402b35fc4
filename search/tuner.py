"""The Keras Tuner tuner that runs the trials."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from ferplus_data.dataset import Dataset, Split
from models.activations import Caching
from models.checkpoints import Checkpoints, Epoch
from models.network import Networks
from models.recipe import Recipe
from models.training import train
from search.clock import Clock
from search.oracle import OBJECTIVE, OptunaOracle
from search.progress import Progress
from search.run_directory import RunDirectory, write_text
from search.space import SpaceModel


class TimeIsUp(keras_tuner.errors.FatalError):
    """The time for the search is over; the trial under way has been handed back."""


class FERPlusTuner(BaseTuner):
    """Runs the trials that an oracle hands out: hyperparameters -> recipe -> training, in `runs/STUDY/trials/NNNN`.

    Args:
        oracle: An `OptunaOracle` or one of Keras Tuner's, mirrored.
        model: The space.
        dataset: Its validation split scores the trials; its test split is not touched.
        train_split: The rows that trials train on.
        run: Where trials leave their files.
        epochs: Most epochs of a trial.
        weights_for: Backbone -> the weights it starts from, as `models.build.build_model` takes them.
        seed: Of every trial's training.
        precision: Of every trial's training.
        caching: How trials use the prefix cache; None: not at all.
        clock: Says when the search has to end.
        progress: Told what happens.
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
    ) -> None:
        super().__init__(oracle, model, directory=run.path, project_name="keras_tuner")
        self._dataset, self._train_split, self._run = dataset, train_split, run
        self._epochs, self._weights_for, self._seed = epochs, weights_for, seed
        self._precision, self._caching = precision, caching
        self._clock, self._progress = clock, progress
        self._networks = Networks()
        self._asked = time.monotonic()

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Run trials until the oracle has no more, or time is up.

        Raises:
            KeyboardInterrupt: Interrupted; the trial under way has been handed back.
        """
        try:
            super().search(*fit_args, **fit_kwargs)
        except TimeIsUp:
            self._hand_back()
        except keras_tuner.errors.FatalError:
            self._hand_back()
            if self.oracle.stopped_because is None:
                raise
        except BaseException:
            self._hand_back()
            raise

    def _hand_back(self) -> None:
        for trial in list(self.oracle.ongoing_trials.values()):
            self.oracle.hand_back(trial)

    def on_search_begin(self) -> None:
        self.save()  # so that Keras Tuner's own oracles find, after an interruption in the first trial, what they had begun

    def save(self) -> None:
        if not isinstance(self.oracle, OptunaOracle):
            super().save()

    def pre_create_trial(self) -> None:
        if self._clock.search_is_over():
            raise TimeIsUp("the time for the search is over")
        self._asked = time.monotonic()

    def on_trial_begin(self, trial: Trial) -> None:
        self._waited = time.monotonic() - self._asked
        self._progress.trial_begins(self.oracle.number(trial.trial_id), trial.hyperparameters.values)

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Train one configuration. Every epoch is reported as it ends, so nothing is returned."""
        number = self.oracle.number(trial.trial_id)
        values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
        epochs = trial.hyperparameters.values.get("tuner/epochs", self._epochs)
        record: dict[str, Any] = {"times": {"oracle": self._waited}}

        def on_epoch(epoch: Epoch) -> bool:
            self._progress.epoch_ends(epoch, epochs)
            self._clock.epoch_took(epoch.epoch, epoch.seconds, len(self._train_split))
            began = time.monotonic()
            self.oracle.record(trial.trial_id, record)
            updated = self.oracle.update_trial(
                trial.trial_id, {OBJECTIVE: epoch.val_accuracy}, step=epoch.epoch
            )
            record["times"]["oracle"] += time.monotonic() - began
            if updated.status == TrialStatus.STOPPED:
                return True
            if epoch.epoch < epochs and self._clock.search_is_over():
                raise TimeIsUp("the time for the search is over")
            return False

        recipe = Recipe.from_hyperparameters(values)
        train(
            recipe,
            self._dataset,
            directory=self._run.trial(number),
            epochs=epochs,
            weights=self._weights_for(recipe.backbone),
            seed=self._seed,
            train_split=self._train_split,
            precision=self._precision,
            networks=self._networks,
            caching=self._caching,
            on_epoch=on_epoch,
            on_batch=lambda epoch, batch, batches: self._progress.batch_ends(epoch, epochs, batch, batches),
            say=self._progress.say,
            record=record,
        )

    def _run_and_update_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        # Keras Tuner's own would report the result once more.
        self.run_trial(trial, *fit_args, **fit_kwargs)

    def on_trial_end(self, trial: Trial) -> None:
        number = self.oracle.number(trial.trial_id)
        if trial.status != TrialStatus.COMPLETED and trial.message:
            write_text(self._run.trial(number) / "error.txt", trial.message)
        super().on_trial_end(trial)
        Checkpoints(self._run.trial(number)).finish()
        self._progress.trial_ends(number)
