"""What comes to a release from outside, by the real doors: a train typed in a terminal, a bundle in S3, a hook of the
team's own, a button in Slack; and looks that nothing asks for twice. What follows from each: tests/scenarios/release.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import yaml
from msgspec import structs

from candlefish.adapters.table.failovers import DynamoStableVersions
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord
from candlefish.traffic.ports import GENERATION_TAG, REVISION_TAG
from lab.kube.kinds import SERVICE as SERVICES
from lab.scenes import driver, helm_chart
from lab.traffic.behaviour import digest_of
from lab.traffic.load import Load
from lab.traffic.registry import BUILDER, Facts
from lab.world import World
from tests.support.labs import Labs
from tests.support.slack_api import CHANNELS, RecordedSlack, Standing
from tests.support.slack_api import secret as slack_secret
from tests.support.stage import ROOT, Stage, running, shorter_steps
from tests.support.waiting import PATIENCE, eventually

ENVIRONMENT, SERVICE = "staging", "api-gateway"
TRAIN = ("backend-api", "api-gateway")
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
# Says no to the version that it is told to, and keeps what it was asked.
HOOK = """
def handler(event, context):
    print(event)
    refused = event["image"].endswith(REFUSED)
    return {"passed": not refused, "reason": "the schema has a breaking change" if refused else "compatible"}
"""


class AskingWorld(World):
    """A lab with a hook of the team's own, a Slack, and a registry that asks for a password."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.slack = RecordedSlack()

    def down(self) -> None:
        super().down()
        self.slack.close()

    def parameters(self) -> dict[str, str]:
        clients = self.clients("us-west-2")
        make_hook(clients, refused=self.image(SERVICE, "1.2.0").rpartition(":")[2])
        self.registry.login = "robot:password"
        secrets = {
            "SlackSigningSecretArn": SECRET,
            "SlackSecretArn": slack_secret(),
            "RegistrySecretArn": self.registry.login,
        }
        named = {
            name: clients("secretsmanager").create_secret(Name=f"candlefish/{name}", SecretString=value)[
                "ARN"
            ]
            for name, value in secrets.items()
        }
        return {**named, "SlackApi": self.slack.address}


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


def asking_catalog(folder: Path) -> Path:
    """A blue-green that asks a hook first, and a person before any traffic."""
    shorter_steps(folder)
    file = folder / "strategies.yaml"
    strategies = yaml.safe_load(file.read_text())
    strategies["blue-green"]["steps"] = [
        {"hook": {"name": "schema", "target": "candlefish-hook-schema", "within": "1m"}},
        {"approve": {"within": "8h"}},
        {"weight": 100},
    ]
    file.write_text(yaml.safe_dump(strategies, sort_keys=False))
    return folder


@contextmanager
def asking(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), TRAIN, world=AskingWorld, catalog=asking_catalog) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(asking)


def buttons_of(slack: RecordedSlack, release: str) -> dict[str, str]:
    """What the buttons about a release's question carry, by action."""
    found: dict[str, str] = {}
    for message in list(slack.standing.values()):
        found |= {k: v for k, v in message.buttons().items() if json.loads(v)["release"] == release}
    return found


def about(slack: RecordedSlack, release: str) -> list[Standing]:
    """What stands about a release by itself, oldest first."""
    return [each for each in slack.in_channel("default") if f"Release: {release}" in "\n".join(each.texts())]


def press(
    stage: Stage, release: str, user: str, *, action: str = "candlefish-approve", secret: str = SECRET
) -> int:
    """Click a button of the message in Slack; the status."""
    assert isinstance(stage.world, AskingWorld)
    slack = stage.world.slack
    buttons: dict[str, str] = eventually(lambda: buttons_of(slack, release))
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
    request = urllib.request.Request(stage.site.stack.outputs["ButtonUrl"], body, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_a_bundle_that_helm_wrote_a_hook_that_says_yes_and_a_click_in_slack(stage: Stage) -> None:
    image = stage.world.image(SERVICE, "1.1.0")
    bucket = stage.site.stack.outputs["BundlesBucket"]
    bundle = helm_chart.upload(stage.client("s3"), bucket, helm_chart.rendered(SERVICE, image))
    release = stage.start(SERVICE, "1.1.0", by="product-lead", **bundle)
    stage.comes_to(release, "approval_requested")
    assert press(stage, release, "U00000001", secret="guessed") == 403
    assert press(stage, release, "U00000001") == 200
    assert stage.ends(release)["status"] == "SUCCEEDED", stage.kinds(release)
    assert "hook_passed" in stage.kinds(release)
    (approved,) = [entry for entry in stage.journal.entries(release) if entry.kind == "approved"]
    assert approved.by == "platform-lead"
    assert isinstance(stage.world, AskingWorld)
    slack = stage.world.slack
    # One message, which was edited until it says that the version is live; its question has no buttons any more.
    eventually(lambda: [each for each in about(slack, release) if "✓ 100%" in "\n".join(each.texts())])
    (main,) = about(slack, release)
    assert main.edits >= 2 and SERVICE in main.texts()[0]
    eventually(lambda: not buttons_of(slack, release))
    thread = ["\n".join(each.texts()) for each in slack.in_channel("default", main.ts)]
    assert any("approved by platform-lead" in each for each in thread), thread
    stage.settled(SERVICE, "1.1.0")


def serving(stage: Stage) -> tuple[ServiceRecord, dict[str, int]]:
    """The service's record, but for what goes on by itself: the predecessor's slot is retired, another watch begins."""
    record = stage.records.get(SERVICE)
    assert record.stable
    slots = {record.stable: record.slots[record.stable]}
    kept = structs.replace(record, slots=slots, revision=0, watcher="", earlier_writers_at=0.0)
    return kept, record.weights_by_target_group()


def test_a_bundle_that_would_take_another_services_traffic_is_refused_and_takes_none(stage: Stage) -> None:
    """A Service with the other's name took all of its requests once, at deploy, before anybody was asked."""
    other, namespace = "backend-api", stage.world.catalog.environments[ENVIRONMENT].namespace
    documents = helm_chart.rendered(SERVICE, stage.world.image(SERVICE, "1.1.0"))
    documents.append(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": other},
            "spec": {"ports": [{"port": 8000, "targetPort": helm_chart.PORT}]},
        }
    )
    bundle = helm_chart.upload(stage.client("s3"), stage.site.stack.outputs["BundlesBucket"], documents)
    before, seen = serving(stage), copy.deepcopy(stage.site.cluster.store.list(SERVICES, namespace))
    host = stage.world.status()["environments"][ENVIRONMENT]["hosts"][other]
    users = Load(stage.site.port, [host], 50)
    users.start()
    release = stage.start(SERVICE, "1.1.0", **bundle)
    ended = stage.ends(release)
    samples = users.stop()
    assert (ended["error"], stage.kinds(release)) == ("InvalidInput", ["refused"])
    assert f"Service {other}: metadata.name" in ended["cause"]
    assert {sample.version for sample in samples} == {stage.version(other)}
    assert not any(sample.failed for sample in samples)
    assert stage.site.cluster.store.list(SERVICES, namespace) == seen
    assert serving(stage) == before


def test_the_last_look_of_a_rollback_puts_right_what_somebody_changed_meanwhile(stage: Stage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    ended = stage.ends(release)
    assert "hook schema said no: the schema has a breaking change" in ended["cause"]
    record = stage.settled(SERVICE, before)
    groups = [{"TargetGroupArn": arn, "Weight": 50} for arn in record.weights_by_target_group()]
    # The reconciler, which looks every minute, would be faster.
    stage.world.aws.schedules.paused.set()
    try:
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        last = {"release": release, "environment": ENVIRONMENT, "service": SERVICE, "slot": "blue"}
        event = {**last, "generation": record.generation, "since": 0}

        def repairs() -> bool:
            stage.client("elbv2").modify_rule(RuleArn=record.rule, Actions=[forward])
            # As one leaves it that is dead before it has said which record it follows.
            stage.client("elbv2").remove_tags(
                ResourceArns=[record.rule], TagKeys=[GENERATION_TAG, REVISION_TAG]
            )
            stage.world.invoke(ENVIRONMENT, "finish-rollback", event)
            # The end of the release's execution calls the reconciler as well, which may come between the two.
            return bool(stage.journal.entries(release)[-1].evidence.get("repaired"))

        eventually(repairs)
    finally:
        stage.world.aws.schedules.paused.clear()
    assert driver.rule_weights(stage.world, ENVIRONMENT, record.rule) == record.weights_by_target_group()
    (told,) = stage.client("elbv2").describe_tags(ResourceArns=[record.rule])["TagDescriptions"]
    tags = {tag["Key"]: tag["Value"] for tag in told["Tags"]}
    assert int(tags[GENERATION_TAG]) == record.generation


def test_a_release_that_is_asked_for_twice_is_one_release(stage: Stage) -> None:
    """What was asked for is known from the first time: another one under its name is refused."""
    stage.publish(SERVICE, "2.1.0")
    name = stage.start(SERVICE, "1.2.0", name="asked-for-twice", reason="once")
    assert stage.start(SERVICE, "1.2.0", name="asked-for-twice", reason="once") == name
    with pytest.raises(driver.NotReached, match="was asked for by developer before"):
        stage.start(SERVICE, "2.1.0", name="asked-for-twice", reason="once")
    assert stage.ends(name)["status"] == "FAILED"


def test_a_click_that_denies_takes_the_version_back(stage: Stage) -> None:
    before = stage.version(SERVICE)
    stage.publish(SERVICE, "2.2.0")
    release = stage.start(SERVICE, "2.2.0")
    stage.comes_to(release, "approval_requested")
    assert isinstance(stage.world, AskingWorld)
    slack = stage.world.slack
    eventually(lambda: buttons_of(slack, release))
    # From here on Slack takes nothing: a rollback is told by mail and in the timeline all the same.
    slack.archived.add(CHANNELS["default"])
    assert press(stage, release, "U00000002", action="candlefish-deny") == 200
    assert stage.ends(release)["error"] == "ApprovalDenied"
    eventually(lambda: "not_told" in stage.kinds(release))
    slack.archived.clear()
    stage.settled(SERVICE, before)


def test_an_image_that_the_registry_does_not_have_is_refused(stage: Stage) -> None:
    repository = stage.image(SERVICE, "1.1.0").partition("@")[0]
    request = {
        "service": SERVICE,
        "image": f"{repository}@{digest_of(SERVICE, 'nobody-pushed-it')}",
        "reason": "scenario",
    }
    release = stage.start_raw(request, f"{SERVICE}-that-nobody-pushed")
    assert stage.ends(release)["status"] == "FAILED"
    assert stage.kinds(release) == ["refused"]


FORK = BUILDER._replace(repository="https://github.com/evil/fork")


@pytest.mark.parametrize(
    ("version", "flaw", "words"),
    [
        ("4.0.1", Facts(builder=FORK), "its provenance was signed by https://github.com/evil/fork"),
        ("4.0.2", Facts(scanner=FORK), "its scan was signed by https://github.com/evil/fork"),
        ("4.0.3", Facts(forged=True), "no provenance attestation of this digest that is valid"),
    ],
    ids=["built elsewhere", "scanned elsewhere", "signed by nobody whom we trust"],
)
def test_an_image_that_no_workflow_of_ours_signed_for_is_refused(
    stage: Stage, version: str, flaw: Facts, words: str
) -> None:
    stage.publish(SERVICE, version)
    stage.world.registry.flaws[digest_of(SERVICE, version)] = flaw
    release = stage.start(SERVICE, version)
    ended = stage.ends(release)
    assert ended["error"] == "ImageRefused" and words in ended["cause"]
    assert stage.kinds(release) == ["refused"]


def test_a_repeated_onboarding_changes_nothing(stage: Stage) -> None:
    before = serving(stage)
    stage.world.invoke(ENVIRONMENT, "onboard", {"service": SERVICE})
    assert serving(stage) == before


def test_a_rule_that_somebody_changed_is_put_right_by_the_reconciler(stage: Stage) -> None:
    record = stage.records.get(SERVICE)
    groups = [{"TargetGroupArn": arn, "Weight": 50} for arn in record.weights_by_target_group()]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    told = stage.kinds(record.promoted_release).count("drift_repaired")
    stage.client("elbv2").modify_rule(RuleArn=record.rule, Actions=[forward])
    eventually(lambda: stage.kinds(record.promoted_release).count("drift_repaired") > told)
    eventually(
        lambda: driver.rule_weights(stage.world, ENVIRONMENT, record.rule) == record.weights_by_target_group()
    )


@contextmanager
def terminal(stage: Stage, *arguments: str) -> Iterator[IO[str]]:
    """What `candlefish` prints to a person who runs it."""
    environment = {**os.environ, **stage.world.signed_in("developer")}
    command = [sys.executable, "-m", "cli", *arguments, "-e", stage.environment]
    # What it says beside that is pytest's to show where it fails.
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout


def test_a_train_that_is_typed_in_a_terminal_is_followed_to_its_end(stage: Stage, tmp_path: Path) -> None:
    for service in TRAIN:
        stage.publish(service, "2.0.0")
    file = tmp_path / "train.json"
    file.write_text(json.dumps(stage.cars(dict.fromkeys(reversed(TRAIN), "2.0.0"))))
    with terminal(stage, "train", str(file)) as shown:
        train = shown.readline().strip()
        assert train, "the command ended before it named its train; what it said is below"
        ended = stage.follow_train(train)
        told = shown.read()
    assert json.loads(ended["output"])["released"] == list(TRAIN)
    assert told.endswith(f"{train} arrived: {', '.join(TRAIN)}\n"), told
    found = [re.search(rf"^{train}-{service}  [0-9:]+  started", told, re.M) for service in TRAIN]
    begun = [each.start() for each in found if each]
    assert len(begun) == len(TRAIN), told
    assert begun == sorted(begun)
    for name in TRAIN:
        # What is written after a promotion, while the window is watched, may come when the terminal has closed.
        written = stage.kinds(f"{train}-{name}")
        assert written.index("promoted") < told.count(f"{train}-{name}  ") <= len(written)
    for service in TRAIN:
        stage.settled(service, "2.0.0")


def test_a_promotion_is_remembered_at_home_alone_where_no_control_plane_stands_by(stage: Stage) -> None:
    table = stage.site.stack.outputs["TableName"]
    known = DynamoStableVersions(stage.client("dynamodb"), table, ENVIRONMENT)
    eventually(lambda: (known.read(SERVICE) or Version("")).label == stage.version(SERVICE))
    # Once more, and watched to its end: it fails for nothing and asks no other region.
    event = {"detail": {"service": SERVICE, "at": time.time()}}
    stage.world.invoke(ENVIRONMENT, "remember-stable", event)
    calls = [c for c in stage.world.aws.gateway.calls if c.caller.endswith(f"{ENVIRONMENT}-remember-stable")]
    assert {(c.region, c.status) for c in calls if c.service == "dynamodb"} == {(stage.site.region, 200)}


def test_alarms_of_a_service_that_has_gone_go_too(stage: Stage) -> None:
    cloudwatch = stage.client("cloudwatch")
    ours = f"candlefish/{ENVIRONMENT}/storefront/service-down/blue"
    somebodys, anothers = (
        f"candlefish/{ENVIRONMENT}/payroll",
        f"candlefish/{ENVIRONMENT}-eu/x/service-down/blue",
    )
    said = f"Nobody is there. [service=storefront slot=blue environment={ENVIRONMENT} severity=critical]"
    # The schedule, too, would delete it.
    stage.world.aws.schedules.paused.set()
    for name in (ours, somebodys, anothers):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=said,
            Namespace="AWS/ApplicationELB",
            MetricName="RequestCount",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="LessThanThreshold",
        )
    try:
        assert ours in stage.world.invoke(ENVIRONMENT, "sync-alarms", {})["deleted"]
    finally:
        stage.world.aws.schedules.paused.clear()
    found = cloudwatch.describe_alarms(AlarmNames=[ours, somebodys, anothers])["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in found} == {somebodys, anothers}
