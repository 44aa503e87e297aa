"""Tests read the catalog in `tests/fixtures/`, whatever a company has in `catalog/` (tests/support/catalogs.py)."""

import os
from pathlib import Path

# Before anything reads it: the lab, the tools and the command ask the environment, also in other processes.
os.environ.setdefault("CANDLEFISH_PRODUCT_CATALOG", os.environ.get("CANDLEFISH_CATALOG") or "")
os.environ["CANDLEFISH_CATALOG"] = str(Path(__file__).parent / "fixtures" / "catalog")
