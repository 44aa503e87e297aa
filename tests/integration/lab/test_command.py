"""`candlefish lab up`, as a stranger uses it: only HTTP, the AWS API and the files in `.lab`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.lab import environment_of, running
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]


def candlefish(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "lab", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(url: str, body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=120) as response:
        return json.loads(response.read())


def test_up_in_the_background_and_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ("--directory", str(tmp_path))
    told = candlefish("up", *where, "-s", "backend-api", "--detach")
    pid = running(tmp_path)
    assert pid is not None
    try:
        assert "api.example.org" in told
        assert "http://127.0.0.1:" in candlefish("status", *where)
        found = environment_of(tmp_path)
        answer = ask(found["ALB_URL"], Host=found["ALB_HOST"])
        assert (answer["service"], answer["version"]) == ("backend-api", "1.0.0")
        assert ":listener/app/" in found["LISTENER_ARN"]
        control = f"{found['AWS_ENDPOINT_URL']}/_lab"
        version = {"service": "backend-api", "version": "1.0.0", "behaviour": {"queries": 1}}
        made = ask(f"{control}/versions", version)
        assert made["image"].startswith("ghcr.io/example-org/backend-api@sha256:")

        ask(f"{control}/database", {"service": "backend-api", "database": {"out": 1.0}})

        def broken() -> bool:
            try:
                ask(found["ALB_URL"], Host="api.example.org")
            except urllib.error.HTTPError as error:
                with error:
                    return error.code == 500
            return False

        eventually(broken)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", found["AWS_SHARED_CREDENTIALS_FILE"])
        session = boto3.Session(profile_name=found["AWS_PROFILE"], region_name=found["AWS_REGION"])
        sts = session.client("sts", endpoint_url=found["AWS_ENDPOINT_URL"])
        assert sts.get_caller_identity()["Arn"].endswith(":user/platform-lead")
    finally:
        assert "the lab is down" in candlefish("down", *where)
    assert running(tmp_path) is None
    assert "no lab is running" in candlefish("down", *where)
