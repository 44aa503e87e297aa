"""docs/deploy.md, followed to the letter in the lab: from an empty account to the first canary."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.catalogs import ACME, PRODUCT
from tools.runtime import NAME, find

ROOT = Path(__file__).parents[2]


def missing() -> str:
    """What the page needs and this machine does not have."""
    commands = [name for name in ("aws", "kubectl", "make", "bash") if shutil.which(name) is None]
    if not (ROOT / ".venv-sam/.ready").exists():
        commands.append("SAM (make sam)")
    try:
        find()
    except SystemExit:
        commands.append(NAME)
    return ", ".join(commands)


@pytest.mark.skipif(bool(missing()), reason=f"there is no {missing()}; make follow-deploy says more")
@pytest.mark.parametrize(
    "catalog", [PRODUCT, pytest.param(ACME, marks=pytest.mark.long)], ids=["ours", "acme"]
)
def test_the_page_leads_from_an_empty_account_to_the_first_canary(catalog: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.follow_deploy"],
        cwd=ROOT,
        env={**os.environ, "CANDLEFISH_CATALOG": str(catalog)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert " requests, 0 failed; " in done.stdout, "nobody looked at what users saw"
