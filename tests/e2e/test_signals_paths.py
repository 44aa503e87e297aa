"""Holds, the kill switch, messages, and every way in, on the real handlers and machines."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.__main__ import candlefish
from lab.faults import Fault
from lab.monitoring import programs
from lab.scenario import answer, record, rule_weights, start_release, timeline
from lab.signals import promote, signals
from lab.world import World

from .quick_catalog import quick_catalog

ENVIRONMENT = "production"
ROOT = Path(__file__).parents[2]
SHIPPED_TOPIC = "arn:aws:sns:us-west-2:333333333333:candlefish-production-alerts"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Production with one service; a hold cools down within seconds."""
    folder = tmp_path_factory.mktemp("lab")
    catalog = quick_catalog(
        folder / "catalog",
        ("responses.yaml", "rollback: 15m, hold: 10m", "rollback: 10s, hold: 6s"),
        ("responses.yaml", "verify_within: 30s", "verify_within: 3s"),
    )
    made = World(folder / "lab", time_scale=30, catalog=catalog)
    try:
        made.up((ENVIRONMENT,), ["website"])
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def notices(world: World) -> Callable[[], list[str]]:
    """The subjects of all messages that people got, in their order."""
    client = world.clients(world.sites[ENVIRONMENT].region)
    url = client("sqs").create_queue(QueueName="people")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    topic = world.sites[ENVIRONMENT].stack.outputs["NoticesTopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    got: list[str] = []

    def read() -> list[str]:
        while found := client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                got.append(json.loads(message["Body"])["Subject"])
                client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return got

    return read


def until(check: Callable[[], Any], seconds: float = 40.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"it did not come true within {seconds:.0f} s"
        time.sleep(0.2)
    return found


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
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.status == 202


def lines_of(world: World, name: str) -> list[dict[str, Any]]:
    return [line for line in signals(world, ENVIRONMENT) if line["signal"]["name"] == name]


def test_a_hold_stays_while_the_alert_flaps_and_the_release_goes_on_when_it_is_quiet(
    world: World, notices: Callable[[], list[str]]
) -> None:
    release = start_release(world, ENVIRONMENT, "website", "1.1.0", by="developer")
    until(lambda: "shifted" in [e["kind"] for e in timeline(world, ENVIRONMENT, release)], 60)
    began = time.time()
    post(world, alert("LatencyHigh", began))
    until(lambda: record(world, ENVIRONMENT, "website")["holds"])
    # The judge has no traffic to tell from, and asks; the hold is honoured before the next step.
    until(lambda: "approval_requested" in [e["kind"] for e in timeline(world, ENVIRONMENT, release)])
    assert answer(world, ENVIRONMENT, release, "approved", person="platform-lead")[0] == 200
    until(lambda: "held" in [e["kind"] for e in timeline(world, ENVIRONMENT, release)])
    post(world, alert("LatencyHigh", began, ended=began + 1))
    until(lambda: len(lines_of(world, "LatencyHigh")) >= 3)
    assert record(world, ENVIRONMENT, "website")["holds"], "it was lifted while it may flap"
    until(lambda: not record(world, ENVIRONMENT, "website")["holds"])
    until(lambda: "resumed" in [e["kind"] for e in timeline(world, ENVIRONMENT, release)])
    said = [
        "Release of website 1.1.0 to production started",
        "LatencyHigh on website in production: holding the release",
        "Release of website 1.1.0 to production is held",
        "Hold of website in production has taken effect",
        "website in production: hold lifted",
        "Release of website 1.1.0 to production goes on",
    ]
    until(lambda: set(said) <= set(notices()))
    assert [notices().count(each) for each in said] == [1] * len(said)


def test_the_tag_stops_everything_and_its_removal_lets_the_repetition_act(world: World) -> None:
    states = world.clients(world.sites[ENVIRONMENT].region)("stepfunctions")
    machine = outputs(world)["RespondMachineArn"]
    states.tag_resource(resourceArn=machine, tags=[{"key": "candlefish:automation", "value": "off"}])
    began = time.time()
    post(world, alert("ServiceDown", began))
    (line,) = until(lambda: lines_of(world, "ServiceDown"))
    assert line["decision"]["gate"] == "switch" and "candlefish:automation=off" in line["decision"]["reason"]
    states.untag_resource(resourceArn=machine, tagKeys=["candlefish:automation"])
    post(world, alert("ServiceDown", began))
    until(lambda: record(world, ENVIRONMENT, "website").get("rollback"))
    until(lambda: [line for line in lines_of(world, "ServiceDown") if line.get("outcome") == "done"])
    stored = until(
        lambda: calm(record(world, ENVIRONMENT, "website")),
        90,
    )
    assert stored["slots"]["blue"]["state"] == "bad" and stored["desired"] == {"blue": 0, "green": 100}


def test_findings_of_our_own_audits_come_in_over_the_bus(
    world: World, notices: Callable[[], list[str]]
) -> None:
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
    (line,) = until(lambda: lines_of(world, "BackupTooOld"))
    assert (line["signal"]["kind"], line["signal"]["subject"]) == ("database", "main")
    until(lambda: "P1 BackupTooOld on main in production" in notices())


def test_sns_is_another_way_in(world: World) -> None:
    sns = world.clients(world.sites[ENVIRONMENT].region)("sns")
    sns.publish(
        TopicArn=outputs(world)["AlertsTopicArn"], Message=webhook(alert("UtilisationHigh", time.time()))
    )
    (line,) = until(lambda: lines_of(world, "UtilisationHigh"))
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
            with urllib.request.urlopen(request, timeout=5) as reply:
                return bool(reply.status == 200)
        except urllib.error.URLError:
            return False

    try:
        until(send)
        found = until(lambda: lines_of(world, "Nasty"))
    finally:
        process.terminate()
        process.wait(10)
    seen = found[0]["signal"]["alert"]
    assert re.sub("[^ -~]", "", seen["summary"]) == re.sub("[^ -~]", "", nasty)
    assert seen["link"] == "https://x/y?a=b&c=d"


def test_people_were_told_of_the_rollback_once(world: World, notices: Callable[[], list[str]]) -> None:
    said = [
        "ServiceDown on website in production: rolling back",
        "website 1.1.0 in production is being rolled back",
        "Rollback of website in production has taken effect",
        "website 1.1.0 in production was rolled back",
    ]
    until(lambda: set(said) <= set(notices()))
    assert [notices().count(each) for each in said] == [1] * len(said)


def test_a_release_after_it_all_goes_through(world: World) -> None:
    assert promote(world, ENVIRONMENT, "website", "1.2.0")


def test_what_does_not_take_effect_is_tried_once_more_and_then_a_persons(
    world: World, notices: Callable[[], list[str]]
) -> None:
    """Traffic cannot be restored for a while: ELBv2 throttles every ModifyRule of the rollback."""
    throttled = world.faults.add(
        Fault(boundary="aws", kind="throttle", service="elbv2", operation="ModifyRule", count=None)
    )
    try:
        post(world, alert("ErrorRateCritical", time.time()))
        (ended,) = until(
            lambda: [line for line in lines_of(world, "ErrorRateCritical") if line.get("outcome")], 60
        )
    finally:
        world.faults.remove(throttled)
    assert ended["outcome"] == "failed"
    until(lambda: "Rollback of website in production FAILED twice: act now" in notices())
    states = world.clients(world.sites[ENVIRONMENT].region)("stepfunctions")
    found = states.list_executions(stateMachineArn=outputs(world)["RollbackMachineArn"])["executions"]
    assert {e["name"][-2:] for e in found if e["name"].startswith(ended["response"])} == {"-1", "-2"}
    # The rollback machine had not given up: the traffic comes back as soon as ELBv2 lets it.
    stored = until(lambda: calm(record(world, ENVIRONMENT, "website")), 90)
    weights = rule_weights(world, ENVIRONMENT, stored["rule"])
    assert weights[stored["slots"][stored["stable"]]["target_group"]] == 100
    assert stored["slots"][stored["stable"]]["version"]["label"] == "1.0.0"


def calm(stored: dict[str, Any]) -> dict[str, Any] | None:
    """The record, once no rollback is under way."""
    return None if stored.get("rollback") else stored


def test_the_command_line_shows_switches_mutes_and_rotates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.people["platform-lead"].access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.people["platform-lead"].secret)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(candlefish, ["signals", "-e", ENVIRONMENT, *arguments])
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.output

    sns = world.clients(world.sites[ENVIRONMENT].region)("sns")
    topic = outputs(world)["AlertsTopicArn"]

    def say(name: str) -> dict[str, Any]:
        sns.publish(TopicArn=topic, Message=webhook(alert(name, time.time(), severity="critical")))
        found: dict[str, Any] = until(lambda: lines_of(world, name))[0]
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
            with urllib.request.urlopen(request, timeout=30) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    until(lambda: status(new) == 202)
    assert status(old) == 202
    run("rotate-token")
    # A warm function looks again only when it sees a token that it does not know.
    until(lambda: status(run("rotate-token").splitlines()[0]) == 202)
    assert status(new) == 401
    assert "0 written" in run("alarms")
