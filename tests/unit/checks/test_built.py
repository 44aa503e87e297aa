"""What stands for a deployed function's environment where built ones are imported and measured."""

from __future__ import annotations

import shutil
from pathlib import Path

from candlefish.catalog.compile import compile as compile_catalog
from tests.support.catalogs import catalog
from tools.built import functions

ROOT = Path(__file__).parents[3]


def test_a_built_function_is_of_an_environment_that_its_catalog_has(tmp_path: Path) -> None:
    """Functions look it up when they are imported; whatever the environments are called."""
    shutil.copy(ROOT / "template.yaml", tmp_path)
    kept = tmp_path / "ControlPlaneLayer" / "python" / "candlefish" / "catalog.json"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(compile_catalog(catalog()))
    built = functions(tmp_path)
    assert built
    assert {each.environment["ENVIRONMENT"] for each in built} <= catalog().environments.keys()
    assert {each.environment["CATALOG_PATH"] for each in built} == {str(kept)}
