"""The whole product on one machine, with nothing but pip (docs/lab.md)."""

from pathlib import Path

# The checkout that the lab runs.
ROOT = Path(__file__).resolve().parent.parent
