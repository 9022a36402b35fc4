"""What the parts of a search ask of each other around an oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from keras_tuner.engine.trial import Trial

from search.storages.trial_store import Claim, TrialStore


class Worker(Protocol):
    """The process that runs the trials of an oracle, as far as the oracle knows of processes."""

    @property
    def name(self) -> str:
        """What stands in a trial's `worker` attribute."""
        ...

    def is_dead(self, worker: str | None) -> bool:
        """Whether the worker of that name is known to be gone."""
        ...


class OneProcess:
    """The worker of an oracle that nobody shares."""

    name = "this process"

    def is_dead(self, worker: str | None) -> bool:
        """False: there is no other."""
        return False


@runtime_checkable
class TrialOracle(Protocol):
    """What the trial runner asks of an oracle, which may be in this process or a chief's in another.

    Attributes:
        ongoing_trials: Tuner id -> its trial.
        stopped_because: Why no further trial is handed out, once that is so.
    """

    ongoing_trials: dict[str, Trial]
    stopped_because: str | None

    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial, RUNNING; or none, with status IDLE (ask again) or STOPPED."""
        ...

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Report the metrics of an epoch. The trial's status is STOPPED if it should end here."""
        ...

    def end_trial(self, trial: Trial) -> None:
        """Record how the trial ended."""
        ...

    def release(self, trial: Trial) -> None:
        """Give a running trial up, to be continued later, here or elsewhere."""
        ...

    def number(self, trial_id: str) -> int:
        """The number, to the user, of a running trial."""
        ...

    def epochs(self, trial_id: str) -> int:
        """The last epoch that a running trial has reported, here or before it came here; 0 if none."""
        ...

    def annotate(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Keep `values` with a running trial, for the report."""
        ...

    def promoted_from(self, trial: Trial) -> int | None:
        """The number of the trial whose weights `trial` starts from; None: of none, as where a trial goes on under its own."""
        ...

    def is_lost(self, trial_id: str) -> bool:
        """Whether the trial is in other hands."""
        ...

    def is_resting(self, trial_id: str) -> bool:
        """Whether a trial that was told to end here may go on later, so that its checkpoint has to stay."""
        ...


@runtime_checkable
class ClaimingOracle(TrialOracle, Protocol):
    """An oracle in this process, which claims its trials in the study itself.

    Attributes:
        store: The study's trials.
    """

    store: TrialStore

    def claims(self) -> list[Claim]:
        """The trials that this process runs."""
        ...

    def lose(self, claim: Claim) -> None:
        """Note that a running trial has been taken away from this process."""
        ...

    def save(self) -> None:
        """Keep what it has to know beside the study when it begins again."""
        ...

    def reload(self) -> None:
        """Take over what is kept."""
        ...
