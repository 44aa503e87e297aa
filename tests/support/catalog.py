"""The first user's catalog, as it is shipped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog


@cache
def catalog() -> Catalog:
    """The first user's catalog, as it is shipped."""
    return load(Path(__file__).parents[2] / "catalog")
