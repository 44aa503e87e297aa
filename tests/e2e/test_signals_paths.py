"""Holds, the kill switch, messages, and every way in, on the real handlers and machines."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.__main__ import candlefish
from lab.faults import Fault
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import answer, execution_arn, record, rule_weights, start_release, timeline
from lab.scenes.monitoring import programs
from lab.scenes.signals import promote, signals
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import PATIENCE, eventually

ENVIRONMENT = "production"
ROOT = Path(__file__).parents[2]
SHIPPED_TOPIC = "arn:aws:sns:us-west-2:333333333333:candlefish-production-alerts"


class People:
    """Reads what people were told."""

    def __init__(self, world: World) -> None:
        client = world.clients(world.sites[ENVIRONMENT].region)
        self._sqs = client("sqs")
        self._url = self._sqs.create_queue(QueueName="people")["QueueUrl"]
        queue = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        client("sns").subscribe(
            TopicArn=outputs(world)["NoticesTopicArn"],
            Protocol="sqs",
            Endpoint=queue["Attributes"]["QueueArn"],
        )
        self._told: list[str] = []

    def told(self) -> list[str]:
        """The subjects of all messages, in their order."""
        while found := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self._told.append(json.loads(message["Body"])["Subject"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._told

    def are_told(self, *subjects: str) -> None:
        """Wait until there is a message with each of these subjects."""
        eventually(lambda: set(subjects) <= set(self.told()))


@contextmanager
def production(folder: Path) -> Iterator[tuple[World, People]]:
    """Production with one service; cooldowns are seconds."""
    catalog = quick_catalog(
        folder / "catalog",
        ("responses.yaml", "rollback: 15m, hold: 10m", "rollback: 10s, hold: 15s"),
        ("responses.yaml", "verify_within: 30s", "verify_within: 3s"),
        # Nobody visits: what has no traffic counts as drained only after this time.
        ("strategies.yaml", "rollback_window: 1h", "rollback_window: 1h\n  drain_within: 4m"),
    )
    with World(folder / "lab", time_scale=30, catalog=catalog) as made:
        bring_up(made, (ENVIRONMENT,), ["website"])
        yield made, People(made)


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(production)[0]


@pytest.fixture
def people(labs: Labs) -> People:
    return labs.get(production)[1]


def outputs(world: World) -> dict[str, str]:
    return world.sites[ENVIRONMENT].stack.outputs


def alert(name: str, began: float, *, ended: float = 0.0, **labels: str) -> dict[str, Any]:
    def stamp(at: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06d}Z"

    said = {"alertname": name, "service": "website", "environment": ENVIRONMENT, **labels}
    return {
        "status": "resolved" if ended else "firing",
        "labels": said,
        "annotations": {"summary": f"{name} in a test"},
        "startsAt": stamp(began),
        "endsAt": stamp(ended) if ended else "0001-01-01T00:00:00Z",
        "fingerprint": f"{name}-{began:.3f}",
    }


def webhook(*alerts: dict[str, Any]) -> str:
    return json.dumps({"version": "4", "groupKey": "{}", "status": "firing", "alerts": alerts})


def token(world: World) -> str:
    """The newest token, as an operator reads it from the secret."""
    secret = world.clients(world.sites[ENVIRONMENT].region)("secretsmanager").get_secret_value(
        SecretId=outputs(world)["AlertTokensSecret"]
    )
    stored = json.loads(secret["SecretString"])
    return str(stored["tokens"][0]["token"] if "tokens" in stored else stored["token"])


def post(world: World, *alerts: dict[str, Any]) -> None:
    headers = {"authorization": f"Bearer {token(world)}", "content-type": "application/json"}
    request = urllib.request.Request(outputs(world)["AlertsUrl"], webhook(*alerts).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
        assert reply.status == 202


def lines_of(world: World, name: str) -> list[dict[str, Any]]:
    return [line for line in signals(world, ENVIRONMENT) if line["signal"]["name"] == name]


def under_way(world: World, version: str) -> str:
    """A release of the website that users have begun to see; its id."""
    release = start_release(world, ENVIRONMENT, "website", version, by="developer")
    eventually(lambda: "shifted" in kinds(world, release))
    return release


def kinds(world: World, release: str) -> list[str]:
    return [entry["kind"] for entry in timeline(world, ENVIRONMENT, release)]


def at_rest(world: World) -> dict[str, Any]:
    """The record, once nothing is under way."""

    def calm() -> dict[str, Any] | None:
        stored = record(world, ENVIRONMENT, "website")
        return None if stored.get("rollback") or stored.get("holder") else stored

    found: dict[str, Any] = eventually(calm)
    return found


def test_a_hold_stays_while_the_alert_flaps_and_the_release_goes_on_when_it_is_quiet(
    world: World, people: People
) -> None:
    release = under_way(world, "1.1.0")
    began = time.time()
    post(world, alert("LatencyHigh", began))
    eventually(lambda: record(world, ENVIRONMENT, "website")["holds"])
    # The judge has no traffic to tell from, and asks; the hold is honoured before the next step.
    eventually(lambda: "approval_requested" in kinds(world, release))
    assert answer(world, ENVIRONMENT, release, "approved", person="platform-lead")[0] == 200
    eventually(lambda: "held" in kinds(world, release))
    post(world, alert("LatencyHigh", began, ended=began + 1))
    ended = eventually(
        lambda: [x for x in lines_of(world, "LatencyHigh") if x["signal"]["alert"]["status"] == "resolved"]
    )[0]
    assert ended["decision"]["gate"] == "cooldown", "it was lifted while it may flap"
    eventually(lambda: not record(world, ENVIRONMENT, "website")["holds"])
    eventually(lambda: "resumed" in kinds(world, release))
    said = (
        "Release of website 1.1.0 to production started",
        "LatencyHigh on website in production: holding the release",
        "Release of website 1.1.0 to production is held",
        "Hold of website in production has taken effect",
        "website in production: hold lifted",
        "Release of website 1.1.0 to production goes on",
    )
    people.are_told(*said)
    assert [people.told().count(each) for each in said] == [1] * len(said)
    world.clients(world.sites[ENVIRONMENT].region)("stepfunctions").stop_execution(
        executionArn=execution_arn(world, ENVIRONMENT, release)
    )
    at_rest(world)


def test_the_tag_stops_everything_and_its_removal_lets_the_repetition_act(
    world: World, people: People
) -> None:
    under_way(world, "1.2.0")
    states = world.clients(world.sites[ENVIRONMENT].region)("stepfunctions")
    machine = outputs(world)["RespondMachineArn"]
    states.tag_resource(resourceArn=machine, tags=[{"key": "candlefish:automation", "value": "off"}])
    began = time.time()
    post(world, alert("ServiceDown", began))
    (line,) = eventually(lambda: lines_of(world, "ServiceDown"))
    assert line["decision"]["gate"] == "switch" and "candlefish:automation=off" in line["decision"]["reason"]
    states.untag_resource(resourceArn=machine, tagKeys=["candlefish:automation"])
    post(world, alert("ServiceDown", began))
    eventually(lambda: record(world, ENVIRONMENT, "website").get("rollback"))
    eventually(lambda: [line for line in lines_of(world, "ServiceDown") if line.get("outcome") == "done"])
    stored = at_rest(world)
    losing = {"blue": "green", "green": "blue"}[stored["stable"]]
    assert stored["slots"][losing]["state"] == "bad"
    assert stored["desired"] == {losing: 0, stored["stable"]: 100}
    said = (
        "ServiceDown on website in production: rolling back",
        "website 1.2.0 in production is being rolled back",
        "Rollback of website in production has taken effect",
        "website 1.2.0 in production was rolled back",
    )
    people.are_told(*said)
    assert [people.told().count(each) for each in said] == [1] * len(said)


def test_findings_of_our_own_audits_come_in_over_the_bus(world: World, people: People) -> None:
    detail = json.loads((ROOT / "events" / "signals" / "finding.json").read_text())["detail"]
    detail["started_at"] = time.time()
    world.clients(world.sites[ENVIRONMENT].region)("events").put_events(
        Entries=[
            {
                "EventBusName": outputs(world)["BusName"],
                "Source": "candlefish.control-plane",
                "DetailType": "finding",
                "Detail": json.dumps(detail),
            }
        ]
    )
    (line,) = eventually(lambda: lines_of(world, "backup-snapshot-age"))
    assert (line["signal"]["kind"], line["signal"]["subject"]) == (
        "other",
        "backup-snapshot-age",
    )
    people.are_told("P2 backup-snapshot-age on backup-snapshot-age in production")


def test_sns_is_another_way_in(world: World) -> None:
    sns = world.clients(world.sites[ENVIRONMENT].region)("sns")
    sns.publish(
        TopicArn=outputs(world)["AlertsTopicArn"], Message=webhook(alert("UtilisationHigh", time.time()))
    )
    (line,) = eventually(lambda: lines_of(world, "UtilisationHigh"))
    assert line["signal"]["source"] == "alertmanager" and line["decision"].get("gate", "") == ""


@pytest.mark.skipif(programs() is None, reason="needs Debian's prometheus-alertmanager (apt-get install)")
def test_a_real_alertmanager_publishes_to_sns_with_our_template(world: World, tmp_path: Path) -> None:
    shipped = ROOT / "monitoring" / "alertmanager"
    config = (shipped / "alertmanager-sns.yaml").read_text()
    config = config.replace("/etc/alertmanager/candlefish-sns.tmpl", str(shipped / "candlefish-sns.tmpl"))
    config = config.replace(SHIPPED_TOPIC, outputs(world)["AlertsTopicArn"])
    endpoint = f"api_url: {world.aws.endpoint}\n        sigv4: {{region: us-west-2, access_key: lab, secret_key: lab}}"
    config = config.replace("sigv4: {region: us-west-2}", endpoint)
    assert endpoint in config and outputs(world)["AlertsTopicArn"] in config
    (tmp_path / "alertmanager.yaml").write_text(config)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (programs() or ("", ""))[1]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={tmp_path / 'alertmanager.yaml'}",
                f"--storage.path={tmp_path}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    nasty = 'quotes " and \\ and \t and \u0007 and <b> & é 漢 \U0001f41f'
    labels = {"alertname": "Nasty", "environment": ENVIRONMENT, "candlefish": "true", "service": "website"}
    alerts = [{"labels": labels, "annotations": {"summary": nasty}, "generatorURL": "https://x/y?a=b&c=d"}]

    def send() -> bool:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v2/alerts",
            json.dumps(alerts).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return bool(reply.status == 200)
        except urllib.error.URLError:
            return False

    try:
        eventually(send)
        found = eventually(lambda: lines_of(world, "Nasty"))
    finally:
        process.terminate()
        process.wait()
    seen = found[0]["signal"]["alert"]
    assert re.sub("[^ -~]", "", seen["summary"]) == re.sub("[^ -~]", "", nasty)
    assert seen["link"] == "https://x/y?a=b&c=d"


def test_what_does_not_take_effect_is_tried_once_more_and_then_a_persons(
    world: World, people: People
) -> None:
    """Traffic cannot be restored for a while: ELBv2 throttles every ModifyRule of the rollback."""
    assert promote(world, ENVIRONMENT, "website", "1.1.0", seconds=PATIENCE)
    throttled = world.faults.add(
        Fault(boundary="aws", kind="throttle", service="elbv2", operation="ModifyRule", count=None)
    )
    try:
        post(world, alert("ErrorRateCritical", time.time()))
        (ended,) = eventually(
            lambda: [line for line in lines_of(world, "ErrorRateCritical") if line.get("outcome")]
        )
    finally:
        world.faults.remove(throttled)
    assert ended["outcome"] == "failed"
    people.are_told("Rollback of website in production FAILED twice: act now")
    states = world.clients(world.sites[ENVIRONMENT].region)("stepfunctions")
    found = states.list_executions(stateMachineArn=outputs(world)["RollbackMachineArn"])["executions"]
    assert {e["name"][-2:] for e in found if e["name"].startswith(ended["response"])} == {"-1", "-2"}
    # The rollback machine had not given up: the traffic comes back as soon as ELBv2 lets it.
    stored = at_rest(world)
    weights = rule_weights(world, ENVIRONMENT, stored["rule"])
    assert weights[stored["slots"][stored["stable"]]["target_group"]] == 100
    assert stored["slots"][stored["stable"]]["version"]["label"] == "1.0.0"


def test_the_command_line_shows_switches_mutes_and_rotates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.signed_in("platform-lead").items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(candlefish, ["signals", "-e", ENVIRONMENT, *arguments])
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.output

    sns = world.clients(world.sites[ENVIRONMENT].region)("sns")
    topic = outputs(world)["AlertsTopicArn"]

    def say(name: str) -> dict[str, Any]:
        sns.publish(TopicArn=topic, Message=webhook(alert(name, time.time(), severity="critical")))
        found: dict[str, Any] = eventually(lambda: lines_of(world, name))[0]
        return found

    assert "automation in production is off" in run("switch", "off", "--reason", "a test")
    assert say("WhileOff")["decision"]["gate"] == "switch"
    shown = run()
    assert "AUTOMATION IS OFF" in shown and "WhileOff" in shown and "refused by switch" in shown
    assert "automation in production is on" in run("switch", "on")
    run("mute", "website", "--for", "1h", "--reason", "a test")
    assert say("WhileMuted")["decision"]["gate"] == "muted"
    run("unmute", "website")
    assert say("Afterwards")["decision"].get("gate", "") not in ("muted", "switch")

    old = token(world)
    new = run("rotate-token").splitlines()[0]
    url = outputs(world)["AlertsUrl"]

    def status(bearer: str) -> int:
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        request = urllib.request.Request(url, webhook().encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    eventually(lambda: status(new) == 202)
    assert status(old) == 202
    run("rotate-token")
    # A warm function looks again only when it sees a token that it does not know.
    eventually(lambda: status(run("rotate-token").splitlines()[0]) == 202)
    assert status(new) == 401
    eventually(lambda: "0 written" in run("alarms"))
