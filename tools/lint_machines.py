"""Check the state machines with statelint and asl-validator, which find different mistakes.

python -m tools.lint_machines
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tools.layers import ROOT

VALIDATOR = ROOT / ".tools/node/node_modules/.bin/asl-validator"
# What statelint says of definitions that Step Functions takes, and why it is wrong.
MISTAKEN = (
    # The states language allows any number; in JSON 2 and 2.0 are the same.
    re.compile(r"BackoffRate is \d+ but should be a Float"),
    # With JSONata, Seconds may be an expression.
    re.compile(r'Seconds is "\{% .* %\}" but should be an Integer'),
)
FINDING = re.compile(r"^ State Machine.*", re.MULTILINE)


def main() -> int:
    """Print what is wrong; how many machines have something."""
    return sum(not sound(path) for path in sorted((ROOT / "statemachines").glob("*.asl.yaml")))


def sound(path: Path) -> bool:
    """Whether neither tool finds anything; prints what they find."""
    validator = subprocess.run([VALIDATOR, "--yaml-path", path], capture_output=True, text=True, check=False)
    statelint = subprocess.run(
        [Path(sys.executable).parent / "statelint", "--yaml", "--eval-jsonata", path],
        capture_output=True,
        text=True,
        check=False,
    )
    found = real(statelint.stdout + statelint.stderr)
    if validator.returncode:
        found.append(validator.stdout + validator.stderr)
    if statelint.returncode and not FINDING.search(statelint.stdout + statelint.stderr):
        found.append(f"statelint failed: {statelint.stderr}")
    for line in found:
        print(f"{path.name}: {line.strip()}")
    return not found


def real(output: str) -> list[str]:
    """The findings of statelint that are none of its mistakes."""
    return [line for line in FINDING.findall(output) if not any(pattern.search(line) for pattern in MISTAKEN)]


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
