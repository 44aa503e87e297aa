"""Signals where a peer is real: Alertmanager's own SNS receiver, and the command line.

Everything else about them is in tests/scenarios/signals.
"""

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

import msgspec
import pytest
from click.testing import CliRunner

from candlefish.signals.payloads import ActionResult, SignalResponse, VerifyInput
from cli.__main__ import candlefish
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import alert_token, answer, execution_arn, record, start_release, timeline
from lab.scenes.monitoring import programs
from lab.scenes.signals import signals
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.signal_world import alert as telling
from tests.support.signal_world import signal_of
from tests.support.waiting import PATIENCE, eventually

ENVIRONMENT = "production"
ROOT = Path(__file__).parents[2]
SHIPPED_TOPIC = "arn:aws:sns:us-west-2:333333333333:candlefish-production-alerts"


@contextmanager
def production(folder: Path) -> Iterator[World]:
    """Production with one service; cooldowns are seconds."""
    catalog = quick_catalog(
        folder / "catalog",
        ("responses.yaml", "rollback: 15m, hold: 10m", "rollback: 10s, hold: 15s"),
        # Nobody visits: what has no traffic counts as drained only after this time.
        ("strategies.yaml", "rollback_window: 1h", "rollback_window: 1h\n  drain_within: 4m"),
    )
    with World(folder / "lab", time_scale=30, catalog=catalog) as made:
        bring_up(made, (ENVIRONMENT,), ["website"])
        yield made


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(production)


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


def publish(world: World, *alerts: dict[str, Any]) -> None:
    sns = world.clients(world.sites[ENVIRONMENT].region)("sns")
    sns.publish(TopicArn=outputs(world)["AlertsTopicArn"], Message=webhook(*alerts))


def lines_of(world: World, name: str) -> list[dict[str, Any]]:
    return [line for line in signals(world, ENVIRONMENT) if line["signal"]["name"] == name]


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


def test_the_command_line_shows_switches_mutes_and_rotates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.signed_in("platform-lead").items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, command: str = "signals") -> str:
        result = CliRunner().invoke(candlefish, [command, "-e", ENVIRONMENT, *arguments])
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.output

    def say(when: str) -> dict[str, Any]:
        # Named by a rule that rolls back: no other alert comes as far as the gates.
        name = f"{when}ErrorRateCritical"
        publish(world, alert(name, time.time(), severity="critical"))
        found: dict[str, Any] = eventually(lambda: lines_of(world, name))[0]
        return found

    assert "automation in production is off" in run("off", "--reason", "a test", command="automation")
    assert say("WhileOff")["decision"]["gate"] == "switch"
    shown = " ".join(run().split())
    assert "! automation is off since" in shown and "WhileOff" in shown and "refused (switch)" in shown
    assert "automation in production is on" in run("on", command="automation")
    run("mute", "website", "--for", "1h", "--reason", "a test")
    assert say("WhileMuted")["decision"]["gate"] == "muted"
    run("unmute", "website")
    assert say("Afterwards")["decision"].get("gate", "") not in ("muted", "switch")

    old = alert_token(world, ENVIRONMENT)
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


def test_a_failover_that_nobody_has_begun_is_waited_for(world: World) -> None:
    """With the role of the function that looks whether a response shows."""
    at = time.time()
    signal = signal_of(telling("DatabaseUnavailable", at=at, database="main", service=""), at=at)
    response = SignalResponse(
        "a-test", ENVIRONMENT, "failover", "database", "main", "a test", decided_at=at, signal=signal
    )
    acted = ActionResult(at, False, "asked for", execution_arn(world, ENVIRONMENT, "nobody", "Failover"))
    asked = msgspec.to_builtins(VerifyInput(response, acted))
    with pytest.raises(RuntimeError, match="verify-response failed: NotYet"):
        world.invoke(ENVIRONMENT, "verify-response", asked)


def kinds(world: World, release: str) -> list[str]:
    return [entry["kind"] for entry in timeline(world, ENVIRONMENT, release)]


def test_a_hold_comes_and_goes_by_sns(world: World) -> None:
    """With the roles that its functions have. Comes last: the release is left under way."""
    release = start_release(world, ENVIRONMENT, "website", "1.1.0", by="developer")
    eventually(lambda: "shifted" in kinds(world, release))
    began = time.time()
    publish(world, alert("LatencyHigh", began))
    eventually(lambda: record(world, ENVIRONMENT, "website")["holds"])
    # Nobody visits, so the judge asks; the hold is honoured before the next step.
    eventually(lambda: "approval_requested" in kinds(world, release))
    assert answer(world, ENVIRONMENT, release, "approved", person="platform-lead")[0] == 200
    eventually(lambda: "held" in kinds(world, release))
    publish(world, alert("LatencyHigh", began, ended=began + 1))
    eventually(lambda: not record(world, ENVIRONMENT, "website")["holds"])
    eventually(lambda: "resumed" in kinds(world, release))
    said = [line["decision"]["action"] for line in lines_of(world, "LatencyHigh")]
    assert said[0] == "hold"
