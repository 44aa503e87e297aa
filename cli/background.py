"""A command that goes on in the background: itself once more, without `--detach`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def once_more(log: Path) -> subprocess.Popen[bytes]:
    """Start this command without `--detach`, in a session of its own; what it says is added to the log, as it says it."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}", "PYTHONUNBUFFERED": "1"},
        )
