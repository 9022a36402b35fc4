"""optuna-dashboard on a study's storage."""

from __future__ import annotations

import socketserver
from collections.abc import Callable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ferplus_data.errors import InputError
from search.storages.registry import open_storage
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import read_study

HOST = "127.0.0.1"
"""The dashboard asks nobody for a password and lets its reader delete studies: only this machine may reach it."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line per request would bury what matters."""


def serve(run: RunDirectory, storage: str | None, port: int, *, say: Callable[[str], None]) -> None:
    """Serve the dashboard of the storage of the study in `run` on `port` of this machine until interrupted.

    Raises:
        InputError: optuna-dashboard is not installed, there is no such study, or the port is taken.
    """
    try:
        from optuna_dashboard import wsgi
    except ModuleNotFoundError as error:
        raise InputError(
            f"dashboard: expected the package optuna-dashboard, found no {error.name}; install it with: "
            "pip install -r requirements-dashboard.txt"
        ) from error
    study = read_study(run, storage).study
    opened = open_storage(storage_url(run, storage))
    identifier = opened.get_study_id_from_name(study.study_name)
    application = wsgi(opened)
    try:
        server = make_server(HOST, port, application, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise InputError(
            f"dashboard: expected port {port} to be free, found: {error.strerror}; choose another with --port"
        ) from error
    with server:
        say(f"study {study.study_name}: http://{HOST}:{port}/dashboard/studies/{identifier}  Ctrl-C ends it")
        server.serve_forever()
