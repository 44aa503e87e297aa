"""The page's own decisions, which know no browser, under node's test runner: numbers, places, pace, sign-in, answers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed, so the page's modules are not tested")
@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name.split(".")[0])
def test_modules(path: Path) -> None:
    assert NODE
    ran = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", str(path)], capture_output=True, text=True, cwd=HERE
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    (passed,) = re.findall(r"^# pass (\d+)", ran.stdout, re.MULTILINE)
    assert int(passed) > 0
