"""Shared by the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore import session

from lab.moto import dynamodb as moto_dynamodb
from tests.support.table import dynamodb_table


@pytest.fixture(scope="session", autouse=True)
def services_described_once() -> Iterator[None]:
    """botocore reads what it knows of a service once in a process, not once in every session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        yield


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """A client of a DynamoDB that has the control plane's table."""
    with dynamodb_table() as client:
        yield client


@pytest.fixture
def whole_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditional writes of moto in one step, as DynamoDB's, for tests that write from several threads."""
    moto_dynamodb.install(put=monkeypatch.setattr)
