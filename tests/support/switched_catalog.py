"""The catalog for tests of what runs beside a service: its canary is a switch without a judge, and asks at half."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.support.catalogs import FIXTURES


def switched_catalog(folder: Path, service: str, **fields: Any) -> Path:
    """A copy of the catalog in which a service has these fields, too."""
    shutil.copytree(FIXTURES, folder)
    strategies = yaml.safe_load((folder / "strategies.yaml").read_text())
    strategies["canary"]["steps"] = [{"weight": 50}, {"approve": {"within": "8h"}}, {"weight": 100}]
    (folder / "strategies.yaml").write_text(yaml.safe_dump(strategies, sort_keys=False))
    services = yaml.safe_load((folder / "services.yaml").read_text())
    services[service] |= fields
    (folder / "services.yaml").write_text(yaml.safe_dump(services, sort_keys=False))
    return folder
