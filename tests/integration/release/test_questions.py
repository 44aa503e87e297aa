"""Whom a release asks on its way: the team's own hooks, and a person who answers by a button in Slack."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.scenes import driver
from lab.world import World
from tests.support.labs import Labs
from tests.support.stage import ENVIRONMENT, Stage, running, shorter_steps
from tests.support.waiting import PATIENCE, eventually

SERVICE = "backend-api"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
# Says no to the version that it is told to, and keeps what it was asked.
HOOK = """
def handler(event, context):
    print(event)
    refused = event["image"].endswith(REFUSED)
    return {"passed": not refused, "reason": "the schema has a breaking change" if refused else "compatible"}
"""


class Slack:
    """Takes what is posted to an incoming webhook."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                slack.posted.append(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def buttons(self, release: str) -> dict[str, str]:
        """What the buttons of the message about a release's question carry, by action."""
        elements = [
            element
            for message in list(self.posted)
            for attachment in message["attachments"]
            for block in attachment["blocks"]
            if block["type"] == "actions"
            for element in block["elements"]
        ]
        return {e["action_id"]: e["value"] for e in elements if json.loads(e["value"])["release"] == release}


class AskingWorld(World):
    """A lab with a hook of the team's own, a Slack, and a registry that asks for a password."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.slack = Slack()

    def down(self) -> None:
        super().down()
        self.slack.server.shutdown()
        self.slack.server.server_close()

    def parameters(self) -> dict[str, str]:
        clients = self.clients("us-west-2")
        make_hook(clients, refused=self.image(SERVICE, "1.2.0").rpartition(":")[2])
        self.registry.login = "robot:password"
        secrets = {
            "SlackSigningSecretArn": SECRET,
            "SlackSecretArn": f"http://127.0.0.1:{self.slack.server.server_port}/services/T0/B0/x",
            "RegistrySecretArn": self.registry.login,
        }
        return {
            name: clients("secretsmanager").create_secret(Name=f"candlefish/{name}", SecretString=value)[
                "ARN"
            ]
            for name, value in secrets.items()
        }


def asking_catalog(folder: Path) -> Path:
    """A canary that asks a hook first, and a person at a half."""
    shorter_steps(folder)
    file = folder / "strategies.yaml"
    strategies = yaml.safe_load(file.read_text())
    strategies["canary"]["steps"] = [
        {"hook": {"name": "schema", "target": "candlefish-hook-schema", "within": "1m"}},
        {"weight": 50},
        {"approve": {"within": "8h"}},
        {"weight": 100},
    ]
    file.write_text(yaml.safe_dump(strategies, sort_keys=False))
    return folder


@contextmanager
def asking(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,), world=AskingWorld, catalog=asking_catalog) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(asking)


def make_hook(clients: Any, refused: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as contents:
        contents.writestr("app.py", f"REFUSED = {refused!r}\n{HOOK}")
    role = clients("iam").create_role(RoleName="hook", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    clients("lambda").create_function(
        FunctionName="candlefish-hook-schema",
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )


def test_a_hook_that_says_no_ends_the_release_before_any_user_sees_it(stage: Stage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    ended = stage.ends(release)
    assert ended["error"] == "HookFailed"
    assert "hook schema said no: the schema has a breaking change" in ended["cause"]
    assert "shifted" not in stage.kinds(release)
    stage.settled(SERVICE, before)


def test_a_hook_that_is_not_there_is_no_yes(stage: Stage) -> None:
    before = stage.version(SERVICE)
    refused_for_want_of_an_answer(stage, "2.0.0")
    stage.settled(SERVICE, before)


def refused_for_want_of_an_answer(stage: Stage, version: str) -> str:
    """A release of a new version that is rolled back; its id."""
    stage.world.traffic.register(SERVICE, version)
    stage.fault(boundary="function", kind="error", service="candlefish-hook-schema", count=9)
    release = stage.start(SERVICE, version)
    assert stage.ends(release)["error"] == "HookFailed"
    return release


def press(
    stage: Stage, release: str, user: str, *, action: str = "candlefish-approve", secret: str = SECRET
) -> tuple[int, bytes, dict[str, str]]:
    """Click a button of the message in Slack; the status, and the request that Slack sent to us."""
    assert isinstance(stage.world, AskingWorld)
    slack = stage.world.slack
    buttons: dict[str, str] = eventually(lambda: slack.buttons(release))
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "actions": [{"action_id": action, "value": buttons[action]}],
    }
    body = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = str(int(time.time()))
    signed = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={signed}",
    }
    return post(stage, body, headers), body, headers


def post(stage: Stage, body: bytes | None, headers: dict[str, str]) -> int:
    url = stage.site.stack.outputs["ButtonUrl"]
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_a_click_by_an_approver_answers_and_nothing_else_does(stage: Stage) -> None:
    release = stage.start(SERVICE, "1.1.0", by="product-lead")
    assert press(stage, release, "U00000001", secret="guessed")[0] == 403
    assert post(stage, None, {}) == 400, "a GET never approves"
    # Slack's 200 means that we took the click; what came of it is said to the person who clicked.
    assert press(stage, release, "U00000003")[0] == 200, "no approver"
    assert press(stage, release, "U00000002")[0] == 200, "an approver, but the one who asked"
    assert press(stage, release, "U99999999")[0] == 200, "nobody in the catalog"
    assert stage.status(release) == "awaiting_approval"
    status, body, headers = press(stage, release, "U00000001")
    assert status == 200
    assert stage.ends(release)["status"] == "SUCCEEDED"
    assert "hook_passed" in stage.kinds(release)
    (approved,) = [entry for entry in stage.journal.entries(release) if entry.kind == "approved"]
    assert approved.by == "platform-lead"
    assert post(stage, body, headers) == 403, "the same request once more"
    stage.settled(SERVICE, "1.1.0")


def test_a_click_that_denies_takes_the_version_back(stage: Stage) -> None:
    before = stage.version(SERVICE)
    stage.world.traffic.register(SERVICE, "2.2.0")
    release = stage.start(SERVICE, "2.2.0")
    assert press(stage, release, "U00000002", action="candlefish-deny")[0] == 200
    assert stage.ends(release)["error"] == "ApprovalDenied"
    stage.settled(SERVICE, before)


def test_a_repeated_onboarding_changes_nothing(stage: Stage) -> None:
    before = stage.records.get(SERVICE)
    stage.world.invoke(ENVIRONMENT, "onboard", {"service": SERVICE})
    assert stage.records.get(SERVICE) == before


def test_the_last_look_of_a_rollback_puts_right_what_somebody_changed_meanwhile(stage: Stage) -> None:
    before = stage.version(SERVICE)
    release = refused_for_want_of_an_answer(stage, "2.1.0")
    record = stage.settled(SERVICE, before)
    groups = [{"TargetGroupArn": arn, "Weight": 50} for arn in record.weights_by_target_group()]
    # The reconciler, which looks every minute, would be faster.
    stage.world.aws.schedules.paused.set()
    try:
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        stage.client("elbv2").modify_rule(RuleArn=record.rule, Actions=[forward])
        last = {"release": release, "environment": ENVIRONMENT, "service": SERVICE, "slot": "blue"}
        event = {**last, "generation": record.generation, "since": 0}
        stage.world.invoke(ENVIRONMENT, "finish-rollback", event)
    finally:
        stage.world.aws.schedules.paused.clear()
    assert driver.rule_weights(stage.world, ENVIRONMENT, record.rule) == record.weights_by_target_group()


def test_alarms_of_a_service_that_has_gone_go_too(stage: Stage) -> None:
    cloudwatch = stage.client("cloudwatch")
    ours = f"candlefish-{ENVIRONMENT}-paintbox-service-down"
    somebodys = f"candlefish-{ENVIRONMENT}-payroll"
    for name in (ours, somebodys):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/ApplicationELB",
            MetricName="RequestCount",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="LessThanThreshold",
        )
    assert ours in stage.world.invoke(ENVIRONMENT, "sync-alarms", {})["deleted"]
    found = cloudwatch.describe_alarms(AlarmNames=[ours, somebodys])["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == [somebodys]
