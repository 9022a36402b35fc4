"""A web hook that is told when a search has ended."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from ferplus_data.errors import InputError
from search.callbacks import Search, SearchCallback

_SECONDS = 10.0


class Notifier(SearchCallback):
    """Posts {"text": ...}, as Slack, Mattermost and the like take it, to `url`."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise InputError("--notify: expected a URL that begins with http:// or https://")
        self._url = url

    def on_search_begin(self, search: Search) -> None:
        self._search = search

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        if metrics is None:
            said = f"ended early: {type(error).__name__}{f': {error}' if str(error) else ''}"
        else:
            test = metrics.get("test_accuracy")
            said = f"is done: val_accuracy {metrics['val_accuracy']:.4f}"
            said += "" if test is None else f", test_accuracy {test:.4f}"
        text = f"study {self._search.study} {said}"
        request = urllib.request.Request(
            self._url, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_SECONDS):
            pass
