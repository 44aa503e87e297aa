"""The page's pictures in docs/images, from a real release in the lab: `python -m tools.screenshots` (some minutes, needs chromium).

It is the test of the page in the lab (tests/e2e/test_console_lab.py), which takes them on its way and fails where what
is to be seen is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
TEST = "tests/e2e/test_console_lab.py"
# Colours that a flat picture needs at most: a third of the bytes, and nothing that is seen.
COLOURS = 256


def small(source: Path, into: Path) -> int:
    """A picture with a palette; bytes."""
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(into, optimize=True)
    return into.stat().st_size


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        told = {**os.environ, "CONSOLE_PICTURES": name}
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", "-s", "-x", TEST], cwd=ROOT, env=told
        )
        taken = sorted(Path(name).glob("console-*.png"))
        if ran.returncode or not taken:
            print("no pictures were kept: the test did not pass, or was skipped")
            return ran.returncode or 1
        for path in taken:
            print(f"docs/images/{path.name}: {small(path, IMAGES / path.name):,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
