"""What a cold start of each built function imports and carries; fails when that is over budget.

    python -m tools.bench_cold build/native/.aws-sam/build

Judged are things that any machine counts alike: the modules that importing the handler loads in a fresh
interpreter, clients made as at a cold start; modules that it must not load; MB of the artefacts, unzipped.
The CPU time of the import is printed against that of `import boto3`, the least of several runs, and judges
nothing: what else the machine does adds to it.
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
from importlib.metadata import requires
from operator import attrgetter
from pathlib import Path

import msgspec

from tools.built import Built, Import, functions, probe, run
from tools.cluster_stub import described_cluster
from tools.layers import ROOT
from tools.runtime import find

ROUNDS = 3
# The baseline is run once for so many handlers.
BASELINE_EVERY = 4
BASELINE = "boto3"


class Budget(msgspec.Struct, frozen=True):
    """What a function may load: how many modules, how many MB (10^6 bytes), and which modules not.

    A module that is not wanted stands for all below it.
    """

    modules: int
    size: float
    unwanted: tuple[str, ...]


# None is needed by any function, and each costs more than our own code: boto3 is for people's tools,
# asyncio comes with libraries that have an asynchronous side.
UNWANTED = ("asyncio", "boto3", "moto", "numpy", "requests", "s3transfer", "unittest", "yaml")
# The Kubernetes client, and what only that imports.
KUBERNETES = ("kubernetes", "multiprocessing", "pydantic")
# What checks signatures: imported when something signed comes, and by two functions alone.
SIGNATURES = ("cryptography", "jwt", "sigstore")
# What a rollback and an alert wait for has no use for these either.
HEAVY = ("candlefish.analysis", "candlefish.release.manifests", "zoneinfo")

# Of modules a tenth more than the largest has today (448; 552): they are small, and what is to be seen is a library that
# comes along. Only the lean ones are waited for. The layer of our own code, which all of them carry, is 0.7 MB larger by what
# people see (views, messages): 16.7 of 17 MB.
PLAIN = Budget(modules=490, size=17, unwanted=(*UNWANTED, *KUBERNETES, *SIGNATURES))
WITH_KUBERNETES = Budget(modules=605, size=27, unwanted=(*UNWANTED, *SIGNATURES))
# They carry what they import late: for tokens of GitHub and of the console's issuer, an App's key, and attestations.
TAKES_TOKENS = ("DecideApproval", "RequestRelease", "SteerRelease", "Freeze", "SignIn")
CARRIED = {
    "PlanTrainFunction": 35.0,
    "FollowReleaseFunction": 35.0,
    "CheckImageFunction": 60.0,
    **{f"{name}Function": 35.0 for name in TAKES_TOKENS},
    # Tokens, and the cluster.
    "ServeViewsFunction": 46.0,
}
LEAN = msgspec.structs.replace(PLAIN, modules=390, unwanted=(*PLAIN.unwanted, *HEAVY))
# What stands between an alarm and the traffic.
LEAN_FUNCTIONS = frozenset({"RestoreTrafficFunction", "ReceiveAlertsFunction"})


class Row(msgspec.Struct, frozen=True):
    """One function's figures. `size` is MB of artefact and layers, `ratio` CPU time over that of boto3."""

    logical: str
    kubernetes: bool
    modules: frozenset[str]
    size: float
    ratio: float


def main(build: Path) -> int:
    """Print the table; the number of budgets that are exceeded."""
    python = find()
    with tempfile.TemporaryDirectory() as scratch, described_cluster() as environment:
        baseline = _baseline(python, Path(scratch))
        built = [
            msgspec.structs.replace(one, environment={**one.environment, **environment})
            for one in functions(build)
        ]
        rows = measured(built, python, baseline)
    print(f"{'function':34}{'modules':>9}{'of at most':>11}{'MB':>7}{'x boto3':>9}")
    for row in sorted(rows, key=lambda row: row.ratio):
        most = budget(row).modules
        print(f"{row.logical:34}{len(row.modules):9}{most:11}{row.size:7.1f}{row.ratio:9.2f}")
    problems = [problem for row in rows for problem in exceeded(row)]
    for problem in problems:
        print(f"OVER BUDGET {problem}")
    return len(problems)


def measured(built: list[Built], python: str, baseline: Path) -> list[Row]:
    """Import every handler once a round, and the baseline now and then; the least of each counts."""
    theirs = math.inf
    ours: dict[str, Import] = {}
    for number, one in enumerate(built * ROUNDS):
        if number % BASELINE_EVERY == 0:
            theirs = min(theirs, run(python, (str(baseline),), "import boto3", {}).seconds)
        found = probe(one, python)
        ours[one.logical] = min(found, ours.get(one.logical, found), key=attrgetter("seconds"))
    return [
        Row(
            one.logical,
            one.kubernetes,
            frozenset(ours[one.logical].modules),
            sum(size_of(Path(path)) for path in one.path),
            ours[one.logical].seconds / theirs,
        )
        for one in built
    ]


def budget(row: Row) -> Budget:
    """What a function may load."""
    if row.logical in LEAN_FUNCTIONS:
        return LEAN
    plain = WITH_KUBERNETES if row.kubernetes else PLAIN
    return msgspec.structs.replace(plain, size=CARRIED.get(row.logical, plain.size))


def exceeded(row: Row) -> Iterator[str]:
    """What of a function is over budget, in words."""
    allowed = budget(row)
    if len(row.modules) > allowed.modules:
        yield (
            f"{row.logical}: importing it loads {len(row.modules)} modules, at most {allowed.modules} are allowed; "
            "look at what it imports first (python -X importtime)"
        )
    if row.size > allowed.size:
        yield (
            f"{row.logical}: {row.size:.1f} MB of code and layers, at most {allowed.size:g} are allowed; "
            "leave out what nobody imports (UNUSED in tools/layers.py)"
        )
    if found := [name for name in allowed.unwanted if name in row.modules]:
        yield f"{row.logical}: importing it loads {', '.join(found)}, which it must do without"


@cache
def size_of(directory: Path) -> float:
    """MB of a tree as Lambda would unpack it: without this machine's twins of extension modules."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return sum(p.stat().st_size for p in files if not (p.suffix == ".so" and "x86_64" in p.name)) / 1e6


def _baseline(python: str, target: Path) -> Path:
    """boto3 as the lock has it, whole and compiled."""
    wanted = locked((ROOT / "requirements.lock").read_text(), needed(BASELINE))
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


def needed(package: str) -> set[str]:
    """A package and all that it needs, by their metadata."""
    wanted = (line for line in requires(package) or () if "extra ==" not in line)
    return {package}.union(*(needed(re.split(r"[^\w.-]", line)[0]) for line in wanted))


def locked(lock: str, names: set[str]) -> str:
    """The entries of these packages in a lock file."""
    entries = re.findall(r"(?m)^[a-z0-9].*(?:\n[ ]+--hash.*)*", lock)
    return "\n".join(entry for entry in entries if re.split(r"[=\[ ;]", entry)[0] in names)


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]).resolve()) else 0)
