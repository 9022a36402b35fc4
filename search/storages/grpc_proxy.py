"""Optuna's gRPC proxy as the study's storage: many processes share the few database connections of one server.

Its protocol has neither heartbeats nor transactions. So a heartbeat is an attribute of the trial, and an observer counts how long
that has not changed; and what belongs together is written in an order in which the last makes it whole.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import grpc
import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import GrpcStorageProxy
from optuna.storages._grpc.auto_generated import api_pb2, api_pb2_grpc
from optuna.storages._grpc.client import GrpcClientCache
from optuna.storages._grpc.servicer import _from_proto_trial
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ferplus_data.errors import InputError
from search.storages.retrying import LONGEST_WAIT, Parameter, Patience
from search.storages.staleness import Silence

CALL_SECONDS = 60
"""After which a call is taken for lost: a machine that has gone says nothing."""
_BEAT = "heartbeat"
_TROUBLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,  # a connection that broke in mid-call
    grpc.StatusCode.UNKNOWN,  # what the server says of an error of its own, such as a database that does not answer
}


class _Calls(GrpcStorageProxy):
    """Optuna's client, with those calls that Optuna's cache asks of a database beyond a storage's."""

    def _setup(self) -> None:
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_reconnect_backoff_ms", int(1000 * LONGEST_WAIT)),  # gRPC's own: 120 s
            ("grpc.enable_http_proxy", 0),  # as databases are reached
        ]
        channel = grpc.insecure_channel(f"{self._host}:{self._port}", options=options)
        self._channel = grpc.intercept_channel(channel, _Deadline())
        self._stub = api_pb2_grpc.StorageServiceStub(self._channel)
        self._cache = GrpcClientCache(self._stub)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        return self.get_trial(self.create_new_trial(study_id, template_trial))

    def _set_trial_param(
        self, trial_id: int, name: str, value: float, distribution: BaseDistribution, _: Any = None
    ) -> None:
        self.set_trial_param(trial_id, name, value, distribution)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: Iterable[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        request = api_pb2.GetTrialsRequest(
            study_id=study_id,
            included_trial_ids=included_trial_ids,
            trial_id_greater_than=trial_id_greater_than,
        )
        try:
            found = self._stub.GetTrials(request).trials
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                raise KeyError(study_id) from error
            raise
        trials = [_from_proto_trial(trial) for trial in found]
        return [trial for trial in trials if states is None or trial.state in states]

    def _get_best_trial_id(self, study_id: int, direction: StudyDirection) -> int:
        return self.get_best_trial(study_id)._trial_id

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):  # as with a database
            self.set_trial_system_attr(trial_id, _BEAT, time.time())  # only that it changes counts


class ProxyStorage(Patience, _Calls):
    """Optuna's `GrpcStorageProxy` with patience and a heartbeat.

    Of those who try to have a waiting trial, the database behind the server lets one have it: PostgreSQL does, SQLite does not.

    Args:
        url: grpc://HOST:PORT
        shown_url, grace, retries: Of `Patience`.

    Raises:
        InputError: The URL is of another form.
        ConnectionError: No such server answers there, or not now; the message says why.
    """

    def __init__(self, url: str, *, shown_url: str, grace: float, retries: int) -> None:
        Patience.__init__(self, shown_url=shown_url, grace=grace, retries=retries)
        self._silences: dict[int, Silence] = {}
        host, port = _address(url)
        _Calls.__init__(self, host=host, port=port)
        try:
            _Calls.get_study_id_from_name(self, "")
        except KeyError:
            pass  # as it should be
        except grpc.RpcError as error:
            raise ConnectionError(error.details()) from error

    def get_heartbeat_stale_trial_callback(self) -> None:
        """Nothing: `search.storages.attempts` takes care of stale trials."""

    def _is_trouble(self, error: Exception) -> bool:
        return isinstance(error, grpc.RpcError) and error.code() in _TROUBLE

    def _change(self, trial_id: int, state: TrialState, values: Sequence[float] | None) -> bool:
        try:
            return _Calls.set_trial_state_values(self, trial_id, state, values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _stale(self, study_id: int) -> list[int]:
        running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        silence = self._silences.setdefault(study_id, Silence(self.grace))
        return silence.look({trial._trial_id: trial.system_attrs.get(_BEAT) for trial in running})

    def write_trial(
        self,
        trial_id: int,
        attributes: Mapping[str, Any],
        parameters: Sequence[Parameter] = (),
        beat: bool = False,
    ) -> None:
        if beat:
            self.record_heartbeat(trial_id)
        # A trial with its attributes counts as one that has its parameters too.
        for name, value, distribution in parameters:
            self._set_trial_param(trial_id, name, value, distribution)
        for key, attribute in attributes.items():
            self.set_trial_user_attr(trial_id, key, attribute)

    def states(self, study_id: int, trial_ids: Collection[int], after: int) -> dict[int, TrialState]:
        return {trial._trial_id: trial.state for trial in self._get_trials(study_id, None, trial_ids, after)}


class _Deadline(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details._replace(timeout=CALL_SECONDS), request)


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.netloc.rpartition(":")[0], parts.port
    except ValueError:
        host, port = "", None
    if not host or port is None or url != f"grpc://{host}:{port}":
        raise InputError(f"storage {url}: expected grpc://HOST:PORT")
    return host, port
