"""Build the wheel, install it where nothing is, and run what people run; prints sizes and times.

    python -m tools.wheel [--keep FOLDER]

Fails when it weighs more than `LARGEST`, when a command fails, or when it does not say what it shall. Times are printed and
not judged: they are the machine's (what is imported is judged by tests/unit/house/test_command_table.py).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.layers import ROOT
from tools.wheel.instant import ENVIRONMENT, IMAGE, QUESTION, RELEASE, SERVICE, Instant

# Bytes that the installer leaves in site-packages.
LARGEST = 40_000_000
REGION = "eu-central-1"
RUNS = 3


class Call(NamedTuple):
    """A command as people type it, and a word that its answer has."""

    arguments: Sequence[str]
    says: str
    shell: Mapping[str, str] = {}


HERE = ("-e", ENVIRONMENT)
CALLS = (
    Call(("init", "-e", ENVIRONMENT, "--region", REGION, "--from", "rendered.yaml", "--out", "."), "the catalog is sound"),
    Call(("--version",), "candlefish, version"),
    Call(("--help",), "approve"),
    Call((), "status", {"_CANDLEFISH_COMPLETE": "bash_complete", "COMP_WORDS": "candlefish sta", "COMP_CWORD": "1"}),
    Call(("status", *HERE), f"{SERVICE} in {ENVIRONMENT}"),
    Call(("status", SERVICE, *HERE), RELEASE),
    Call(("status", RELEASE, *HERE), "all is well"),
    Call(("watch", RELEASE, *HERE), "promoted"),
    Call(("plan", SERVICE, IMAGE, *HERE), SERVICE),
    Call(("deploy", SERVICE, IMAGE, *HERE, "--reason", "new prices", "--no-follow"), f"{SERVICE}-"),
    Call(("approve", RELEASE, *HERE, "--question", QUESTION), "approved"),
)  # fmt: skip
RENDERED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: IMAGE
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  rules:
    - host: shop.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
""".replace("IMAGE", IMAGE)


def build(folder: Path) -> Path:
    """The wheel of this checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """The wheel and what it needs in an environment of its own; its command."""
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel], check=True
    )
    return folder / "bin" / "candlefish"


def weight(folder: Path, *, bytecode: bool) -> int:
    """Bytes of all files below a folder."""
    return sum(
        file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink() and (bytecode or file.suffix != ".pyc")
    )


def run(command: Path, call: Call, environ: Mapping[str, str], folder: Path) -> tuple[float, float, str]:
    """Seconds to the first character and to the end, and what was said."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [command, *call.arguments],
        cwd=folder,
        env={**environ, **call.shell},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = process.stdout.read(1)
    first = time.perf_counter() - began
    said += process.stdout.read()
    process.wait()
    text = said.decode(errors="replace")
    if process.returncode or call.says not in text:
        sys.exit(f"candlefish {' '.join(call.arguments)} ended with {process.returncode} and said:\n{text}")
    return first, time.perf_counter() - began, text


def main() -> None:
    """See the module's words."""
    parser = argparse.ArgumentParser(prog="python -m tools.wheel")
    parser.add_argument("--keep", type=Path, help="Folder for the environment, which then stays.")
    kept = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as name:
        folder = kept or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        command = install(build(Path(name)), folder / "environment")
        packages = next((folder / "environment").glob("lib/python*/site-packages"))
        weighs = weight(packages, bytecode=False)
        work = folder / "work"
        work.mkdir(exist_ok=True)
        (work / "rendered.yaml").write_text(RENDERED)
        server = Instant()
        try:
            times = measure(command, server, work, folder)
        finally:
            server.stop()
        print(json.dumps({"installed_MB": round(weighs / 1e6, 1), "with_bytecode_of_what_ran_MB": round(weight(packages, bytecode=True) / 1e6, 1)}))  # fmt: skip
        print(f"{'first character':>16} {'whole':>8}  command (best of {RUNS})")
        for words, first, whole in times:
            print(f"{first:14.2f} s {whole:6.2f} s  {words}")
        if weighs > LARGEST:
            sys.exit(f"it weighs {weighs / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}: see what is new in it")
        asked = [each for each in server.asked if not each.get("look")]
        if len(asked) != 2 * RUNS:
            sys.exit(f"deploy and approve asked {len(asked)} times instead of {2 * RUNS}")


def measure(command: Path, server: Instant, work: Path, home: Path) -> list[tuple[str, float, float]]:
    """Every call's best times, after one that nobody measures: the first writes bytecode."""
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "COLUMNS": "120",
    }
    times = []
    for call in CALLS:
        if not call.shell and call.arguments[0] not in ("deploy", "approve"):
            run(command, call, environ, work)
        best = min(run(command, call, environ, work)[:2] for _ in range(RUNS))
        times.append((f"candlefish {' '.join(call.arguments) or '(tab)'}"[:100], *best))
    return times


if __name__ == "__main__":
    main()
