"""`status` and `watch` against a stack that answers at once: what they say, and that no SDK was imported for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import direct
from tools.wheel.instant import ENVIRONMENT, RELEASE, SERVICE, Instant

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from cli.__main__ import candlefish
try:
    candlefish(prog_name="candlefish")
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture
def stack() -> Iterator[Instant]:
    made = Instant()
    yield made
    made.stop()


def called(stack: Instant, home: Path, *arguments: str, **more: str) -> tuple[str, set[str]]:
    """What a command says, and every module that it imported."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k not in direct._SETTINGS}
    environ |= {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_ENDPOINT_URL": stack.endpoint}
    environ |= {
        "AWS_REGION": "eu-central-1",
        "HOME": str(home),
        "COLUMNS": "120",
        "CANDLEFISH_CATALOG": str(home / "none"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, "-e", ENVIRONMENT],
        cwd=ROOT,
        env={**environ, **more},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status",), f"{SERVICE} in {ENVIRONMENT}"),
        (("status", SERVICE), RELEASE),
        (("status", RELEASE), "all is well"),
        (("watch", RELEASE), "all is well"),
    ],
)
def test_what_reads_alone_imports_no_sdk(
    stack: Instant, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    said, modules = called(stack, tmp_path, *arguments)
    assert says in said
    assert not modules & {"botocore.session", "botocore.client", "boto3", "urllib3", "yaml", "kubernetes"}
    assert not {name for name in modules if name.startswith("candlefish.catalog")}


def test_the_sdk_says_the_same_where_the_network_is_its_to_understand(stack: Instant, tmp_path: Path) -> None:
    quick, _ = called(stack, tmp_path, "status", RELEASE)
    whole, modules = called(stack, tmp_path, "status", RELEASE, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false")
    assert "botocore.session" in modules
    assert whole == quick
