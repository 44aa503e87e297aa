"""Files that are not looked into: too large, or nested deeper than any catalog is. In a process of its own, because
LibYAML's composer ends the one that it runs out of stack in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.catalogs import FIXTURES

ROOT = Path(__file__).parents[3]
LOAD = """
import sys
from pathlib import Path
from candlefish.catalog.load import load
from candlefish.catalog.problems import CatalogError
try:
    load(Path(sys.argv[1]))
except CatalogError as error:
    print(error)
"""
UNSOUND = {
    "open lists": ("[" * 200_000, "nests deeper than 40 levels"),
    "closed lists": ("[" * 50_000 + "]" * 50_000, "nests deeper than 40 levels"),
    "mappings": ('{"a":' * 200_000, "nests deeper than 40 levels"),
    "dashes": ("- " * 200_000, "nests deeper than 40 levels"),
    "long": ("a: " + "x" * 1_000_000, "at most 1,000,000 are read"),
}


@pytest.mark.parametrize(("text", "why"), UNSOUND.values(), ids=UNSOUND)
def test_a_file_that_is_not_looked_into_is_a_problem_like_any_other(
    tmp_path: Path, text: str, why: str
) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(FIXTURES, folder)
    (folder / "policies.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, folder],
        env={**os.environ, "PYTHONPATH": str(ROOT / "layers/control_plane")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert why in done.stdout and "policies.yaml" in done.stdout
