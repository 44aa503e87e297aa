"""Build a layer: locked arm64 wheels, only the AWS models we call, compiled once, the catalog inside.

`sam build` runs this through the layer's Makefile:

    python -m tools.layers <directory of the layer> <where sam wants the result>

The packages are in the layer's requirements.lock with their hashes. `python3.13` must be on PATH: the
bytecode has to be the runtime's own.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from candlefish.catalog.compile import compile as compile_catalog
from candlefish.catalog.load import load

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "candlefish"
RUNTIME = "python3.13"
# Newest first; Lambda's Amazon Linux 2023 has glibc 2.34.
PLATFORMS = ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
# The X-Ray SDK makes a client of its own when it is imported.
SERVICES_OF_OTHERS = frozenset({"xray"})
# Of packages, what no function imports and what weighs.
UNUSED = (
    "bin",
    "kubernetes/aio",
    "kubernetes/client/api/[!_]*",
    "kubernetes/client/models/[!_]*",
    "wrapt-stubs",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_]*",
    "**/tests",
    "**/*.pyi",
)


def build(layer: Path, artifacts: Path) -> None:
    """Fill `artifacts` with what Lambda unpacks to /opt."""
    python = shutil.which(RUNTIME)
    if python is None:
        sys.exit(f"{RUNTIME} is not on PATH; layers are compiled with it. Install Python 3.13, or add it to PATH.")
    target = artifacts / "python"
    install(layer / "requirements.lock", target, PLATFORMS, "3.13")
    if (layer / PACKAGE).is_dir():
        shutil.copytree(
            layer / PACKAGE, target / PACKAGE, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache", "py.typed")
        )
        (target / PACKAGE / "catalog.json").write_bytes(compile_catalog(load(ROOT / "catalog")))
        trim_botocore(target / "botocore" / "data", aws_services(target / PACKAGE))
    for pattern in UNUSED:
        for path in sorted(target.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    compile_bytecode(python, target, artifacts)


def install(lock: Path, target: Path, platforms: Iterable[str], version: str) -> None:
    """Install exactly what the lock says, as wheels of one of the platforms."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={version}", *(f"--platform={name}" for name in platforms)]
    subprocess.run([*command, f"--target={target}", f"--requirement={lock}"], check=True)


def aws_services(package: Path) -> set[str]:
    """Every AWS service whose client the package makes: the literal first argument of `client(...)`."""
    return {name for path in package.rglob("*.py") for name in _clients(ast.parse(path.read_text()))}


def _clients(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if name in ("client", "create_client") and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def trim_botocore(data: Path, services: set[str]) -> None:
    """Keep the models of the services we call (the newest version of each) and what is not a service."""
    wanted = services | SERVICES_OF_OTHERS
    if missing := sorted(name for name in wanted if not (data / name).is_dir()):
        sys.exit(f"botocore knows no service called {', '.join(missing)}; look at who makes these clients")
    for directory in data.iterdir():
        if not directory.is_dir():
            continue
        if directory.name not in wanted:
            shutil.rmtree(directory)
            continue
        for old in sorted(directory.iterdir())[:-1]:
            shutil.rmtree(old)
        for file in directory.rglob("examples-1*"):
            file.unlink()


def compile_bytecode(python: str, target: Path, artifacts: Path) -> None:
    """Bytecode that is used without a look at its source, with the paths it has on Lambda."""
    subprocess.run(
        [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
        + ["-s", os.fspath(artifacts), "-p", "/opt", os.fspath(target)],
        check=True,
        # The same sources give the same bytes, so that an unchanged layer is not published again.
        env={**os.environ, "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "315532800"},
    )


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
