"""What a person at a terminal reads when AWS refuses or does not answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

from cli.trouble import explain

ROOT = Path(__file__).parents[2]


def refusal(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "StartExecution")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoCredentialsError(), ("no AWS credentials", "source .lab/env")),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1/"), ("127.0.0.1:1", "AWS_ENDPOINT_URL")),
        (refusal("ExpiredTokenException"), ("StartExecution", "sign in again")),
        (
            refusal("AccessDeniedException", "not authorized"),
            ("StartExecution: not authorized", "docs/security.md"),
        ),
        (refusal("StateMachineDoesNotExist"), ("StartExecution", "make preflight")),
        (refusal("ValidationException", "too long"), ("StartExecution: too long", "ValidationException")),
        (ParamValidationError(report="Missing name"), ("Missing name",)),
    ],
)
def test_it_says_what_happened_and_what_to_do(
    error: BotoCoreError | ClientError, words: tuple[str, ...]
) -> None:
    said = explain(error)
    assert "\n" not in said or isinstance(error, ParamValidationError)
    for word in words:
        assert word in said


def candlefish(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**kept, "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_credentials_there_is_one_line_and_no_trace() -> None:
    done = candlefish("status", "-e", "staging")
    assert done.returncode == 1
    assert "there are no AWS credentials" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_no_train_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"releases": 3, "reason": "x"}))
    done = candlefish("train", str(file), "-e", "staging")
    assert done.returncode == 1
    assert "is no train: Expected `array`, got `int` - at `$.releases`" in done.stderr


def test_commands_that_tests_start_find_the_package_however_pytest_was_called() -> None:
    started = "import subprocess, sys, tests.conftest as _; subprocess.run([sys.executable, '-m', 'cli', '--version'], check=True)"
    done = subprocess.run(
        [sys.executable, "-c", started],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("candlefish")
