"""Build a layer: locked arm64 wheels, only the AWS models we call, compiled once, the catalog inside.

`sam build` runs this through the layer's Makefile:

    python -m tools.layers <directory of the layer> <where sam wants the result>

The packages are in the layer's requirements.lock with their hashes. The bytecode is the
runtime's own, so Python 3.13 has to be there (tools/runtime.py).
"""

from __future__ import annotations

import ast
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from candlefish.catalog.compile import compile as compile_catalog
from candlefish.catalog.load import load
from lab import CATALOG
from tools.runtime import find

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "candlefish"
# Newest first; Lambda's Amazon Linux 2023 has glibc 2.34.
PLATFORMS = (
    "manylinux_2_34_aarch64",
    "manylinux_2_28_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
)
# These import every part of the package (config, watch, stream, YAML, ...). Functions import
# `kubernetes.client` alone; tools/isolated.py proves that nothing else is needed.
EMPTIED = ("kubernetes/__init__.py", "kubernetes/utils/__init__.py")
# Of packages, what no function imports and what weighs.
UNUSED = (
    "bin",
    *(f"kubernetes/{name}" for name in ("aio", "config", "dynamic", "informer", "leaderelection")),
    *(f"kubernetes/{name}" for name in ("stream", "watch")),
    "kubernetes/client/api/[!_]*",
    "kubernetes/client/models/[!_]*",
    "aws_lambda_powertools/event_handler",
    *(
        f"aws_lambda_powertools/utilities/{name}"
        for name in ("data_classes", "idempotency", "parser", "streaming")
    ),
    "**/tests",
    "**/*.pyi",
)


def build(layer: Path, artifacts: Path) -> None:
    """Fill `artifacts` with what Lambda unpacks to /opt."""
    python = find()
    target = artifacts / "python"
    install(layer / "requirements.lock", target, PLATFORMS, "3.13")
    if (layer / PACKAGE).is_dir():
        shutil.copytree(
            layer / PACKAGE,
            target / PACKAGE,
            ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache", "py.typed"),
        )
        (target / PACKAGE / "catalog.json").write_bytes(compile_catalog(load(CATALOG)))
        trim_botocore(target / "botocore" / "data", aws_services(target / PACKAGE))
    for imports_all in EMPTIED:
        if (target / imports_all).exists():
            (target / imports_all).write_text("")
    for pattern in UNUSED:
        for path in sorted(target.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    compile_bytecode(python, target, artifacts)


def install(lock: Path, target: Path, platforms: Iterable[str], version: str) -> None:
    """Install exactly what the lock says, as wheels of one of the platforms."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={version}", *(f"--platform={name}" for name in platforms)]
    subprocess.run([*command, f"--target={target}", f"--requirement={lock}"], check=True)


def aws_services(package: Path) -> set[str]:
    """Every AWS service whose client the package makes: the literal first argument of `client(...)` or `clients(...)`."""
    return {name for path in package.rglob("*.py") for name in _clients(ast.parse(path.read_text()))}


def _clients(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if (
            name.lstrip("_") in ("client", "clients", "create_client")
            and isinstance(first, ast.Constant)
            and isinstance(first.value, str)
        ):
            yield first.value


def trim_botocore(data: Path, services: set[str]) -> None:
    """Keep the models of the services we call (the newest version of each) and what is not a service."""
    if missing := sorted(name for name in services if not (data / name).is_dir()):
        sys.exit(f"botocore knows no service called {', '.join(missing)}; look at who makes these clients")
    for directory in data.iterdir():
        if not directory.is_dir():
            continue
        if directory.name not in services:
            shutil.rmtree(directory)
            continue
        for old in sorted(directory.iterdir())[:-1]:
            shutil.rmtree(old)
        for file in directory.rglob("examples-1*"):
            file.unlink()
    prefixes = {strip_documentation(model) for model in data.rglob("service-2.json*")}
    trim_endpoints(data / "endpoints.json", prefixes)


def trim_endpoints(endpoints: Path, prefixes: set[str]) -> None:
    """Keep, of every partition, the services that we call."""
    content = json.loads(endpoints.read_text())
    for partition in content["partitions"]:
        known = partition["services"]
        partition["services"] = {name: value for name, value in known.items() if name in prefixes}
    endpoints.write_text(json.dumps(content, separators=(",", ":")))


def strip_documentation(model: Path) -> str:
    """Rewrite a service model without its texts, half of its size and of the time to read it.

    Returns the service's prefix in endpoints.json.
    """
    packed = model.suffix == ".gz"
    content = json.loads(gzip.decompress(model.read_bytes()) if packed else model.read_bytes())
    model.unlink()
    model.with_suffix("" if packed else ".json").write_text(
        json.dumps(_undocumented(content), separators=(",", ":"))
    )
    return str(content["metadata"]["endpointPrefix"])


def _undocumented(value: Any) -> Any:
    if isinstance(value, dict):
        # A shape may have a member that is called documentation; that is an object, a text is not.
        return {
            k: _undocumented(v) for k, v in value.items() if k != "documentation" or not isinstance(v, str)
        }
    return [_undocumented(item) for item in value] if isinstance(value, list) else value


def compile_bytecode(python: str, target: Path, artifacts: Path) -> None:
    """Bytecode that is used without a look at its source, with the paths it has on Lambda."""
    command = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # The same sources give the same bytes, so that an unchanged layer is not published again.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([*command, "-s", artifacts, "-p", "/opt", target], check=True, env=environment)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
