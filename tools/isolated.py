"""Prove that every built function imports with exactly its artefact and layers.

python -m tools.isolated build/native/.aws-sam/build
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from tools.built import Built, functions, probe
from tools.cluster_stub import described_cluster
from tools.runtime import find


def main(build: Path) -> int:
    """Import every handler; the number of those that cannot be."""
    python = find()
    with described_cluster() as environment:
        return sum(not _imports(built, python, environment) for built in functions(build))


def _imports(built: Built, python: str, environment: dict[str, str]) -> bool:
    try:
        found = probe(
            msgspec.structs.replace(built, environment={**built.environment, **environment}), python
        )
    except RuntimeError as error:
        print(f"FAIL {built.logical}\n{error}")
        return False
    print(f"ok   {built.logical}: {len(found.modules)} modules")
    return True


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]).resolve()) else 0)
