"""The deploy action as GitHub runs it: an OIDC token for a role, a release followed to its end, a job summary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from candlefish.service.model import name_of_car
from lab.github import BEARER, FINE_GRAINED
from lab.moto import ACCOUNT
from lab.world import World
from tests.support.labs import Labs
from tests.support.stage import ROOT, Stage, running
from tests.support.waiting import PATIENCE, eventually

ENVIRONMENT, SERVICE = "staging", "backend-api"
SUBJECT = f"repo:example-org/shop:environment:{ENVIRONMENT}"


class GitHubWorld(World):
    """A lab whose stack trusts a repository, and tells GitHub there how releases stand."""

    def parameters(self) -> dict[str, str]:
        secrets = self.clients("us-west-2")("secretsmanager")
        token = secrets.create_secret(Name="candlefish/github-status", SecretString=FINE_GRAINED)["ARN"]
        return {"GitHubSubjects": SUBJECT, "GitHubStatusSecretArn": token, "GitHubApi": self.github.issuer}


@contextmanager
def trusting(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,), world=GitHubWorld) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(trusting)


@pytest.fixture
def tokens(stage: Stage) -> str:
    """Where a job asks for its tokens, as GitHub serves them."""
    github = stage.world.github
    github.job = {
        "sub": SUBJECT,
        "repository": "example-org/shop",
        "environment": ENVIRONMENT,
        "ref": "refs/heads/main",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "actor": "example-developer",
        "workflow_ref": "example-org/shop/.github/workflows/unified-deployment.yml@refs/heads/main",
    }
    return f"{github.issuer}/token?api-version=2.0"


class Job:
    """One attempt of a workflow's run; its files are what GitHub reads after it."""

    def __init__(self, stage: Stage, tokens: str, folder: Path, run: str, version: str) -> None:
        self.release = f"{SERVICE}-gh-{run}-1"
        self.output, self.summary = folder / "output", folder / "summary"
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {
            **keep,
            "AWS_ENDPOINT_URL": stage.world.aws.endpoint,
            "AWS_REGION": stage.site.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": tokens,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
            "GITHUB_RUN_ID": run,
            "GITHUB_RUN_ATTEMPT": "1",
            # Whoever may change the workflow may write what they like here; nobody reads it.
            "GITHUB_ACTOR": "platform-lead",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "CANDLEFISH_ROLE": f"arn:aws:iam::{ACCOUNT}:role/candlefish-{ENVIRONMENT}-github",
            "CANDLEFISH_ENVIRONMENT": ENVIRONMENT,
            "CANDLEFISH_SERVICE": SERVICE,
            "CANDLEFISH_IMAGE": stage.world.image(SERVICE, version),
            "CANDLEFISH_LABEL": version,
            "CANDLEFISH_REASON": f"run {run}",
        }

    def step(self, command: str) -> subprocess.Popen[str]:
        """Begin a step of the action."""
        script = ROOT / ".github/actions/deploy/deploy.py"
        return subprocess.Popen(
            [sys.executable, str(script), command],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def told(stage: Stage, release: str, last: str) -> list[str]:
    """What GitHub was told of a release, until it was told the last of it."""
    github = stage.world.github

    def states() -> list[str]:
        return [
            status["state"]
            for each in github.deployments
            if each["payload"]["release"] == release
            for status in each["statuses"]
        ]

    eventually(lambda: states()[-1:] == [last])
    commit = (github.job["repository"], github.job["sha"], f"candlefish/{ENVIRONMENT}/{SERVICE}")
    # The second of the two that are told.
    eventually(lambda: github.commits[commit]["state"] == last)
    return states()


def test_a_job_follows_its_release_to_the_promotion(stage: Stage, tokens: str, tmp_path: Path) -> None:
    job = Job(stage, tokens, tmp_path, "1001", "1.1.0")
    step = job.step("follow")
    said, _ = step.communicate(timeout=PATIENCE)
    assert step.returncode == 0, said
    assert job.output.read_text().splitlines() == [f"release={job.release}", "status=promoted"]
    summary = job.summary.read_text()
    assert "promoted in staging" in summary
    kinds = [entry.kind for entry in stage.journal.entries(job.release)]
    # What comes after the promotion may come after the job.
    for kind in kinds[: kinds.index("promoted") + 1]:
        assert f"| {kind.replace('_', chr(92) + '_')} |" in summary
    released = stage.read(job.release)
    assert released.requested_by == "github:example-developer"
    assert released.proof["repository"] == "example-org/shop"
    assert released.proof["ref"] == "refs/heads/main"
    assert "in_progress" in told(stage, job.release, "success")
    kept = json.dumps([stage.tables(), stage.logged()])
    assert job.release in kept
    assert FINE_GRAINED not in kept, "nor is the one that the follower speaks with"
    assert "eyJ" not in kept, "the token is in no item of the table and on no line of a log"
    callers = {c.caller for c in stage.world.aws.gateway.calls if c.operation == "StartExecution"}
    assert any("github" in caller or caller.startswith("ASIA") for caller in callers)


def test_a_job_says_why_its_release_was_refused(stage: Stage, tokens: str, tmp_path: Path) -> None:
    stage.world.traffic.register(SERVICE, "smoke-fails", "smoke-fails")
    job = Job(stage, tokens, tmp_path, "1002", "smoke-fails")
    step = job.step("follow")
    said, _ = step.communicate(timeout=PATIENCE)
    assert step.returncode == 1
    assert "::error::" in said
    assert "rolled back" in said
    assert "❌" in job.summary.read_text()
    stage.settled(SERVICE, "1.1.0")


def test_a_job_that_is_cancelled_stops_its_release_which_is_taken_back(
    stage: Stage, tokens: str, tmp_path: Path
) -> None:
    job = Job(stage, tokens, tmp_path, "1003", "1.2.0")
    following = job.step("follow")
    eventually(lambda: "deployed" in stage.kinds(job.release))
    following.kill()
    following.communicate()
    stop = job.step("stop")
    said, _ = stop.communicate(timeout=PATIENCE)
    assert (stop.returncode, "was stopped" in said) == (0, True), said
    stage.settled(SERVICE, "1.1.0")
    assert stage.status(job.release) == "rolled_back"
    told(stage, job.release, "failure")


def test_what_is_started_without_a_token_names_nobody_and_a_forged_one_is_refused(
    stage: Stage, tokens: str
) -> None:
    """GitHub's role may start the machine; what it writes into the input is a claim."""
    request = {"service": SERVICE, "image": stage.image(SERVICE, "1.2.0"), "reason": "who am I?"}
    named = stage.start_raw({**request, "requested_by": "platform-lead"}, "claims-a-name")
    assert stage.ends(named)["error"] == "InvalidInput"
    forged = {**request, "token": stage.world.github.token("sts.amazonaws.com")}
    assert "'aud' is 'sts.amazonaws.com'" in stage.ends(stage.start_raw(forged, "for-another"))["cause"]
    assert stage.read("for-another").requested_by == "unknown"
    plain = stage.start_raw(request, "says-nothing")
    assert stage.ends(plain)["status"] == "SUCCEEDED"
    assert stage.read(plain).requested_by == "unknown"


def test_a_job_that_waits_for_nothing_starts_a_train_and_github_is_told_how_it_ends(
    stage: Stage, tokens: str, tmp_path: Path
) -> None:
    job = Job(stage, tokens, tmp_path, "1004", "1.1.0")
    train = [{"service": SERVICE, "image": stage.image(SERVICE, "1.1.0"), "label": "1.1.0"}]
    job.environment |= {"CANDLEFISH_TRAIN": json.dumps(train), "CANDLEFISH_IMAGE": ""}
    step = job.step("start")
    said, _ = step.communicate(timeout=PATIENCE)
    assert step.returncode == 0, said
    assert job.output.read_text().splitlines() == ["release=train-gh-1004-1", "status=started"]
    release = name_of_car("train-gh-1004-1", SERVICE)
    assert "in_progress" in told(stage, release, "success")
    stage.settled(SERVICE, "1.1.0")
    # The same attempt again is the same train; with other releases it is refused.
    following = job.step("follow")
    assert following.communicate(timeout=PATIENCE) and following.returncode == 0
    job.environment["CANDLEFISH_TRAIN"] = json.dumps([{**train[0], "label": "other"}])
    other = job.step("follow")
    said, _ = other.communicate(timeout=PATIENCE)
    assert (other.returncode, "started before, for other releases" in said) == (1, True), said
