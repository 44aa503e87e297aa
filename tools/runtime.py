"""Find the runtime's Python. As a command, print its directory (to put on PATH).

Looked for in $PYTHON313, then on PATH, then among pyenv's versions: a pyenv shim is on PATH even where
no version is chosen, and then does not run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAME = "python3.13"


def find() -> str:
    """The interpreter's path; exits with what to do when there is none."""
    on_path = [str(Path(directory) / NAME) for directory in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        os.environ.get("PYTHON313", ""),
        *on_path,
        *map(str, sorted(pyenv.glob(f"3.13*/bin/{NAME}"))),
    ]
    for candidate in candidates:
        if candidate and shutil.which(candidate) and _runs(candidate):
            return candidate
    sys.exit(
        f"{NAME} was not found; the functions run on it. Install Python 3.13, or say where it is in PYTHON313."
    )


def _runs(candidate: str) -> bool:
    command = [candidate, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 13))"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    print(Path(find()).parent)
