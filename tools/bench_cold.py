"""What a cold start of each built function costs, against `import boto3`; fails above budget.

    python -m tools.bench_cold build/native/.aws-sam/build

CPU time of importing the handler in a fresh interpreter with the artefact's own bytecode, clients made
as at a cold start. The least of several runs counts, for a handler and for the baseline: what else the
machine does only adds. The baseline is run far more often, so its least is the safer of the two, and a
handler over budget is run again, in turns with the baseline, before it is called so. Sizes are of the artefacts, unzipped.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from operator import attrgetter
from pathlib import Path

import msgspec

from tools.built import Built, Import, functions, probe, run
from tools.cluster_stub import described_cluster
from tools.layers import ROOT
from tools.runtime import find

ROUNDS = 3
# More rounds for those over budget: a busy machine shows the least a handler can cost only seldom.
ROUNDS_AGAIN = 12
# The baseline is run once for so many handlers.
BASELINE_EVERY = 4
# Import CPU over that of `import boto3` (docs/decisions): without and with the Kubernetes client.
RATIO, RATIO_KUBERNETES = 1.5, 2.25
# Layers unzipped, in MB (10^6 bytes): alone and with the Kubernetes layer.
SIZE, SIZE_KUBERNETES = 25.0, 45.0
# What stands between an alarm and the traffic gets less.
RATIO_LEAN = 1.4
LEAN = ("RestoreTrafficFunction", "ReceiveAlertsFunction")
BASELINE = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")


class Row(msgspec.Struct, frozen=True):
    """One function's figures. `size` is MB of artefact and layers."""

    logical: str
    ratio: float
    modules: int
    size: float
    kubernetes: bool


def main(build: Path) -> int:
    """Print the table; the number of budgets that are exceeded."""
    python = find()
    with tempfile.TemporaryDirectory() as scratch, described_cluster() as environment:
        baseline = _baseline(python, Path(scratch))
        built = [
            msgspec.structs.replace(one, environment={**one.environment, **environment})
            for one in functions(build)
        ]
        rows = measured(built, python, baseline, ROUNDS, BASELINE_EVERY)
        for at, row in enumerate(rows):
            if any(exceeded(row)):
                (rows[at],) = measured([built[at]], python, baseline, ROUNDS_AGAIN, 1)
    print(f"{'function':34}{'x boto3':>8}{'modules':>9}{'MB':>7}")
    for row in sorted(rows, key=lambda row: row.ratio):
        print(f"{row.logical:34}{row.ratio:8.2f}{row.modules:9}{row.size:7.1f}")
    problems = [problem for row in rows for problem in exceeded(row)]
    for problem in problems:
        print(f"OVER BUDGET {problem}")
    return len(problems)


def measured(built: list[Built], python: str, baseline: Path, rounds: int, every: int) -> list[Row]:
    """Import every handler once a round, and the baseline before each `every`-th; the least of each counts."""
    theirs = math.inf
    ours: dict[str, Import] = {}
    for number, one in enumerate(built * rounds):
        if number % every == 0:
            theirs = min(theirs, run(python, (str(baseline),), "import boto3", {}).seconds)
        found = probe(one, python)
        ours[one.logical] = min(found, ours.get(one.logical, found), key=attrgetter("seconds"))
    return [
        Row(
            one.logical,
            ours[one.logical].seconds / theirs,
            len(ours[one.logical].modules),
            sum(size_of(Path(path)) for path in one.path),
            one.kubernetes,
        )
        for one in built
    ]


def exceeded(row: Row) -> Iterator[str]:
    """What of a function is over budget, in words."""
    most, largest = (RATIO_KUBERNETES, SIZE_KUBERNETES) if row.kubernetes else (RATIO, SIZE)
    if row.logical in LEAN:
        most = RATIO_LEAN
    if row.ratio > most:
        yield f"{row.logical}: importing it costs {row.ratio:.2f} times `import boto3`, at most {most} is allowed"
    if row.size > largest:
        yield f"{row.logical}: {row.size:.1f} MB of code and layers, at most {largest} are allowed"


@cache
def size_of(directory: Path) -> float:
    """MB of a tree as Lambda would unpack it: without this machine's twins of extension modules."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return sum(p.stat().st_size for p in files if not (p.suffix == ".so" and "aarch64" not in p.name)) / 1e6


def _baseline(python: str, target: Path) -> Path:
    """boto3 as the lock has it, whole and compiled."""
    wanted = locked((ROOT / "requirements.lock").read_text(), BASELINE)
    lock = target / "requirements.lock"
    lock.write_text(wanted)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--no-compile", f"--target={target}", f"--requirement={lock}"]
    subprocess.run(command, check=True)
    compileall = [
        python,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        os.fspath(target),
    ]
    subprocess.run(compileall, check=True)
    return target


def locked(lock: str, names: tuple[str, ...]) -> str:
    """The entries of these packages in a lock file."""
    entries = re.findall(r"(?m)^[a-z0-9].*(?:\n[ ]+--hash.*)*", lock)
    return "\n".join(entry for entry in entries if re.split(r"[=\[ ;]", entry)[0] in names)


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]).resolve()) else 0)
