"""README.md, the tutorial and the runbook of an outage, every command as it stands, in the lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.catalogs import PRODUCT
from tools.follow_lab import NEEDED, OUTAGE, README, TUTORIAL
from tools.layers import ROOT

MISSING = ", ".join(name for name in NEEDED if shutil.which(name) is None)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"there is no {MISSING}; the pages say what one needs"),
]


@pytest.mark.parametrize("page", [README, TUTORIAL, OUTAGE])
def test_a_page_holds(page: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.follow_lab", page],
        cwd=ROOT,
        # The product's, and not that of the tests.
        env={**os.environ, "CANDLEFISH_CATALOG": str(PRODUCT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert f"{page} holds: " in done.stdout
