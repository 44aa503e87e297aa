"""The words of releases: every kind that leads to something is written by somebody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from candlefish.release.journal import STATUS
from candlefish.release.model import Status
from candlefish.release.news import PUBLISHED
from candlefish.release.traffic_repairs import Repair

PACKAGE = Path(__file__).parents[3] / "layers/control_plane/candlefish"


def written() -> Iterator[str]:
    """Every kind of entry that a use case of releases writes."""
    for path in (PACKAGE / "release").glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ReleaseEntry":
                kind = node.args[1]
                if isinstance(kind, ast.Constant):
                    yield str(kind.value)
    # A person's answer, and what the reconciler did, are kinds by themselves.
    yield from ("approved", "denied", "drift_repaired", *get_args(get_type_hints(Repair)["kind"]))


@pytest.mark.parametrize("kind", sorted({*STATUS, *PUBLISHED}))
def test_every_kind_that_leads_to_something_is_written(kind: str) -> None:
    assert kind in set(written())


def test_every_status_is_followed_to() -> None:
    assert set(STATUS.values()) == set(get_args(Status))
