"""Optuna's own test cases for storages, on each of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.testing.pytest_storages import StorageTestCase

from search.storages.registry import memory, open_storage


def emptied(storage: BaseStorage) -> BaseStorage:
    """The storage without the studies of the case before: a server is slower to start than its studies to delete."""
    for name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)
    return storage


class TestSQLite(StorageTestCase):
    @pytest.fixture(scope="class")
    def opened(self, tmp_path_factory: pytest.TempPathFactory) -> BaseStorage:
        return open_storage(f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/study.db")

    @pytest.fixture
    def storage(self, opened: BaseStorage) -> BaseStorage:
        return emptied(opened)


class TestPostgreSQL(StorageTestCase):
    @pytest.fixture(scope="class")
    def opened(self, postgres: Any) -> BaseStorage:
        return open_storage(postgres.url)

    @pytest.fixture
    def storage(self, opened: BaseStorage) -> BaseStorage:
        return emptied(opened)


class TestProxy(StorageTestCase):
    @pytest.fixture(scope="class")
    def opened(self, proxy: Any) -> Iterator[BaseStorage]:
        yield open_storage(proxy.url)

    @pytest.fixture
    def storage(self, opened: BaseStorage) -> BaseStorage:
        return emptied(opened)

    @pytest.mark.skip(reason="parameters are a map in Optuna's protocol, which keeps no order")
    def test_get_all_trials_params_order(self) -> None: ...


class TestMemory(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> BaseStorage:
        return memory()
