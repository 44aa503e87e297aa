"""The shell of whoever follows a page in the lab: what it knows, which kubectl it finds, and how it goes on from block to block."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.world import World

# Of the Kubernetes that the lab's API says it is.
MINOR = "1.31"
# A block is run by a shell of its own; what it exports is handed to the next one, but for what is said for once.
SHELL = 'set -aeuo pipefail; [ ! -f "$STATE" ] || . "$STATE"; . "$BLOCK"; unset BUILT; export -p >"$STATE"'

# What this process was called with and a reader would not have: make's own, and another Python's.
NOT_THE_READERS = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV")
# Seconds that a block may take: catches a command that hangs.
BLOCK_SECONDS = 1200.0


class Failed(Exception):
    """The page cannot be followed."""


def teller() -> Callable[[str], None]:
    """Prints lines with the seconds since it was made."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    return say


def shell_environment(world: World, *, state: Path, block: Path) -> dict[str, str]:
    """The variables of a shell that talks to a world and to nothing else; it runs `block`, and keeps in `state` what that
    exports."""
    directory = world.directory
    theirs = ("AWS_", "CANDLEFISH_", "SAM_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    environment |= {
        "AWS_ENDPOINT_URL": world.aws.endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_PAGER": "",
        "KUBECONFIG": str(directory / "kubeconfig"),
        "STATE": str(state),
        "BLOCK": str(block),
        # Which terminal this runs in is not the page's business.
        "TERM": "dumb",
    }
    if beside := kubectl_that_fits(directory):
        environment["PATH"] = f"{beside}{os.pathsep}{environment['PATH']}"
    return environment


def run_block(
    world: World,
    text: str,
    where: str,
    *,
    tree: Path,
    log: Path,
    more: Mapping[str, str],
    seconds: float = BLOCK_SECONDS,
) -> tuple[str, str]:
    """Run commands in the reader's shell, in their `tree`: how they ended, empty when well, and what they said.

    It goes on from the block before: what was exported is there. A question is answered with yes, once. `log` gets the
    commands below `where` and what they said; `more` is added to the variables.
    """
    directory = world.directory
    script = directory / "block.sh"
    script.write_text(text if text.endswith("\n") else f"{text}\n")
    environment = shell_environment(world, state=directory / "state.sh", block=script)
    # `make check` is a command of its own; see the Makefile.
    environment |= {"SAM_CLI_TELEMETRY": "0", "CHECKED": "yes", **more}
    for name in (*NOT_THE_READERS, *_said_to_make()):
        environment.pop(name, None)
    log.parent.mkdir(exist_ok=True)
    with log.open("a+") as output:
        output.write(f"\n=== {where}\n{script.read_text()}---\n")
        output.flush()
        begun = output.tell()
        try:
            done = subprocess.run(
                ["bash", "-c", SHELL],
                cwd=tree,
                env=environment,
                input=b"y\n",
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
            ended = f"ended with {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            ended = f"still ran after {seconds:.0f} s"
        output.seek(begun)
        told = output.read()
    return ended, told


def _said_to_make() -> list[str]:
    """The variables that make was called with: it hands them to all that it runs, and a reader's make would obey them."""
    return re.findall(r"(?:^|\s)(\w+)=", os.environ.get("MAKEFLAGS", "").partition("-- ")[2])


def kubectl_that_fits(directory: Path) -> str:
    """A folder whose kubectl is of the lab's own version; empty where the kubectl that is found is no dispatcher.

    Google's dispatcher asks the server for its version and takes its newest client when the answer is slow. From
    1.33 on kubectl speaks protobuf, which the lab does not.
    """
    found = Path(shutil.which("kubectl") or "kubectl").resolve()
    fits = found.with_name(f"kubectl.{MINOR}")
    if not fits.exists():
        return ""
    folder = directory / "bin"
    folder.mkdir(exist_ok=True)
    link = folder / "kubectl"
    if not link.exists():
        link.symlink_to(fits)
    return str(folder)
