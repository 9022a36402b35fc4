"""Optuna's gRPC proxy as the study's storage: many processes share the few database connections of one server.

Its protocol has no lock. Two workers that ask at the same moment may then create the same trial, or one beyond the budget;
whoever sees that marks its own superseded. Of those who try to have a waiting trial, the database behind the proxy lets one
have it: PostgreSQL does, SQLite does not.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import grpc
from optuna.storages import GrpcStorageProxy

from ferplus_data.errors import InputError
from search.storages.retrying import LONGEST_WAIT, RetryingStorage

CALL_SECONDS = 60
"""After which a call is taken for lost: a machine that has gone says nothing."""
_OUTAGES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,  # a connection that broke in mid-call
    grpc.StatusCode.UNKNOWN,  # what the server says of an error of its own, such as a database that does not answer
}


class _Client(GrpcStorageProxy):
    """Optuna's client, whose calls end."""

    # Private, Optuna 5.0.0: its constructor takes neither a channel nor its options, and gRPC reads neither a deadline nor the
    # longest wait from its environment, so both are put in where the client makes its channel.
    def _setup(self) -> None:
        super()._setup()
        self._channel.close()
        options = [
            ("grpc.max_receive_message_length", -1),  # as Optuna has it
            ("grpc.max_reconnect_backoff_ms", int(1000 * LONGEST_WAIT)),  # gRPC's own: 120 s
            ("grpc.enable_http_proxy", 0),  # as databases are reached
        ]
        channel = grpc.insecure_channel(f"{self._host}:{self._port}", options=options)
        self._channel = grpc.intercept_channel(channel, _Deadline())
        self._stub = type(self._stub)(self._channel)
        self._cache = type(self._cache)(self._stub)


class _Deadline(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details._replace(timeout=CALL_SECONDS), request)


def proxy_storage(url: str, *, shown_url: str, grace: float, max_deaths: int) -> RetryingStorage:
    """Return the storage behind the proxy at `url`, grpc://HOST:PORT.

    Raises:
        InputError: The URL is of another form.
        ConnectionError: No such server answers there, or not now; the message says why.
    """
    host, port = _address(url)
    client = _Client(host=host, port=port)
    try:
        client.get_study_id_from_name("")
    except KeyError:
        pass  # as it should be
    except grpc.RpcError as error:
        raise ConnectionError(error.details()) from error
    return RetryingStorage(
        client, shown_url=shown_url, is_outage=is_outage, grace=grace, max_deaths=max_deaths
    )


def is_outage(error: Exception) -> bool:
    """Whether `error` says that the proxy was not reached, or could not answer now."""
    return isinstance(error, grpc.RpcError) and error.code() in _OUTAGES


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.netloc.rpartition(":")[0], parts.port
    except ValueError:
        host, port = "", None
    if not host or port is None or url != f"grpc://{host}:{port}":
        raise InputError(f"storage {url}: expected grpc://HOST:PORT")
    return host, port
