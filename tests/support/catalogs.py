"""The catalogs of the tests: what they read, and what a company runs with."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog

_ROOT = Path(__file__).parents[2]
# What tests read, unless they say otherwise; samconfig.toml is beside it.
FIXTURES = _ROOT / "tests" / "fixtures" / "catalog"
# Another company's.
ACME = _ROOT / "tests" / "fixtures" / "acme" / "catalog"
# The company's own, for the few tests that are about it.
PRODUCT = Path(os.environ["CANDLEFISH_PRODUCT_CATALOG"] or _ROOT / "catalog").resolve()


@cache
def catalog() -> Catalog:
    """The catalog that tests read."""
    return load(FIXTURES)
