"""Shared by the contract tests."""

from __future__ import annotations

import pytest

from lab.moto import dynamodb


@pytest.fixture
def whole_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditional writes of moto in one step, as DynamoDB's, for tests that write from several threads."""
    dynamodb.install(put=monkeypatch.setattr)
