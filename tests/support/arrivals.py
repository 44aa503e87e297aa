"""Published alerts from a real Prometheus through a real Alertmanager into the product's receiver, and what each led to.

Between Alertmanager and a person is what runs on AWS, in this process: the endpoint, the queue's message, the decision, the
bus's event, the message. Each alert is decided by itself, in a world where one release is under way; what many at once
lead to is for other tests.

    python -m tests.support.arrivals    writes docs/alerts-arrived.md from such a run
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import yaml

from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import BearerToken, Delivery, LoggedSignal
from candlefish.signals.notification import ConsoleLinks, Notification
from candlefish.signals.notify import BusEvent, notify
from candlefish.signals.owners import whose_news
from candlefish.signals.receive_alerts import receive_alerts
from candlefish.signals.sources import from_queue
from candlefish.web import HttpRequest
from lab import ROOT
from lab.memory.signals import MemoryChannel, MemoryLedger, MemoryQueue, MemoryTokens
from lab.scenes.monitoring import programs
from lab.scenes.prometheus import Programs, free_port, wait_ready
from tests.support.catalogs import catalog
from tests.support.published_alerts import Case, cases
from tests.support.signal_world import World
from tests.support.waiting import PATIENCE, rounds

ENVIRONMENT, SERVICE = "production", "backend-api"
OWNER = catalog().services[SERVICE].owner
TOKEN = "a-token-of-the-lab"
PAGE = ROOT / "docs" / "alerts-arrived.md"
SHIPPED = ROOT / "monitoring" / "alertmanager" / "alertmanager.yaml"


class Arrival(msgspec.Struct, frozen=True):
    """What one alert led to; `line` and `said` are missing where Alertmanager kept it to itself."""

    case: Case
    line: LoggedSignal | None = None
    said: Notification | None = None
    # Whose channel has the message.
    to: str = ""


class Endpoint:
    """Takes what Alertmanager posts, as the function behind the stack's URL does."""

    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.refused: list[str] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                reply = endpoint.take(dict(self.headers.items()), body)
                self.send_response(reply)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """The status of one delivery."""
        event = {
            "requestContext": {"http": {"method": "POST"}},
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        reply = receive_alerts(
            msgspec.convert(event, HttpRequest),
            environment=ENVIRONMENT,
            tokens=MemoryTokens(BearerToken(TOKEN)),
            queue=self.queue,
            now=time.time,
        )
        if reply.status != 202:
            self.refused.append(reply.reason)
        return reply.status


def arrivals() -> list[Arrival]:
    """Every published alert, fired, delivered and decided, in the order of the list.

    Raises
    ------
    AssertionError
        One did not arrive, or something was refused.
    """
    wanted = {case.key: case for case in cases(ENVIRONMENT, SERVICE)}
    taken: dict[frozenset[tuple[str, str]], Arrival] = {}
    endpoint = Endpoint()
    threading.Thread(target=endpoint.server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as folder, _monitoring(Path(folder), wanted.values(), endpoint.url) as port:
        read = 0
        for _ in rounds(
            lambda: f"{sorted(wanted[key].alert for key in wanted.keys() - taken.keys())} did not arrive"
        ):
            for body in endpoint.queue.messages[read:]:
                read += 1
                for arrival in _handled(from_queue(body.decode(), time.time()), wanted):
                    before = taken.setdefault(arrival.case.key, arrival)
                    assert _row(before) == _row(arrival), "the same alert led to two things"
            kept = _kept_back(port)
            taken.update({key: Arrival(case) for key, case in wanted.items() if key in kept})
            if len(taken) == len(wanted):
                break
    endpoint.server.shutdown()
    endpoint.server.server_close()
    assert not endpoint.refused, endpoint.refused
    return [taken[key] for key in wanted]


def _handled(delivery: Delivery, wanted: dict[frozenset[tuple[str, str]], Case]) -> Iterator[Arrival]:
    """What each alert of a message leads to by itself."""
    for alert in delivery.alerts:
        world = World(environment=ENVIRONMENT)
        world.clock.at = delivery.received_at
        world.releasing(SERVICE)
        one = msgspec.structs.replace(delivery, alerts=(alert,), total=1)
        (line,) = handle_signal(one, message="m", ports=world.ports)
        everybodys, owners = MemoryChannel(), MemoryChannel()
        for number, (kind, detail) in enumerate(world.bus.published):
            mine = {"one": owners} if whose_news(kind, detail, catalog().services) == OWNER else {}
            notify(
                BusEvent(str(number), kind, detail),
                channels={"one": everybodys},
                ledger=MemoryLedger(),
                links=ConsoleLinks(ENVIRONMENT),
                owners=lambda event, mine=mine: mine,
            )
        got = [*everybodys.got, *owners.got]
        assert len(got) <= 1, f"{alert.labels} was told of more than once"
        to = "its owner" if owners.got else "everybody" if got else ""
        yield Arrival(wanted[frozenset(alert.labels.items())], line, next(iter(got), None), to)


@contextmanager
def _monitoring(folder: Path, fired: Sequence[Case] | Any, url: str) -> Iterator[int]:
    """Prometheus with rules that fire at once, and Alertmanager with the route that ships; Alertmanager's port."""
    found = programs()
    assert found, "prometheus and prometheus-alertmanager are not installed"
    running = Programs(folder)
    port, own = free_port(), free_port()
    rules = [
        {"alert": c.alert, "expr": "vector(1)", "labels": _of_rule(c), "annotations": ABOUT} for c in fired
    ]
    files = {
        "rules.yaml": {"groups": [{"name": "published", "interval": "1s", "rules": rules}]},
        "prometheus.yaml": {
            "global": {"evaluation_interval": "1s", "external_labels": {"environment": ENVIRONMENT}},
            "rule_files": [str(folder / "rules.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]},
        },
        "alertmanager.yaml": _shipped(folder, url),
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "token").write_text(TOKEN)
    try:
        running.run(
            "alertmanager",
            found[1],
            f"--config.file={folder / 'alertmanager.yaml'}",
            f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        )
        wait_ready(port, PATIENCE)
        running.run(
            "prometheus",
            found[0],
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{own}",
        )
        yield port
    finally:
        running.close()


ABOUT = {"summary": "{{ $labels.alertname }} in a test"}


def _of_rule(case: Case) -> dict[str, str]:
    """What the rule writes itself: the name is its own, and Prometheus adds the environment."""
    return {name: value for name, value in case.labels.items() if name not in ("alertname", "environment")}


def _shipped(folder: Path, url: str) -> dict[str, Any]:
    """The configuration that ships, with this address and token."""
    config: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    # How long Alertmanager waits before what came to a group later; nothing else is changed.
    config["route"]["routes"][0]["group_interval"] = "1s"
    webhook = config["receivers"][1]["webhook_configs"][0]
    webhook["url"] = url
    webhook["http_config"]["authorization"]["credentials_file"] = str(folder / "token")
    return config


def _kept_back(port: int) -> set[frozenset[tuple[str, str]]]:
    """The alerts that Alertmanager has and its route gives to nobody."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=60) as answer:
        known = json.load(answer)
    return {
        frozenset(each["labels"].items())
        for each in known
        if [receiver["name"] for receiver in each["receivers"]] == ["nobody"]
    }


# --- the page ---------------------------------------------------------------------------------

INTRO = """# What published alerts led to

Written by `python -m tests.support.arrivals` from a run, and compared with every run of
`tests/e2e/test_published_alerts.py`: a real Prometheus fires each alert of [alerts](alerts.md), with the names, severities
and labels that clusters have and expressions that are always true; a real Alertmanager has the route that ships; the rest
of the way to the message is the product's. The same run is compared with [alerts](alerts.md) line by line.

Each alert comes by itself, while a release of SERVICE is under way. About something else in the cluster, and about SERVICE,
a database or a cache of the catalog where its labels can say so. *Kept*: Alertmanager has it, and the route gives it to
nobody. The owner of SERVICE has a channel.
"""


def page(arrived: Sequence[Arrival]) -> str:
    """The run as a page: one table for each reason."""
    reasons: dict[str, list[Arrival]] = {}
    for arrival in arrived:
        reasons.setdefault(_why(arrival), []).append(arrival)
    lines = [
        INTRO,
        f"{len({a.case.alert for a in arrived})} names, {len(arrived)} alerts: {_counted(arrived)}.",
        "",
    ]
    for why, some in reasons.items():
        rows = [
            "| alert | label | about | led to | message | to |",
            "|---|---|---|---|---|---|",
            *map(_row, some),
        ]
        lines += [f"**{why}**", "", *rows, ""]
    return "\n".join(lines)


def _why(arrival: Arrival) -> str:
    if arrival.line is None:
        return "It always fires: the route leaves it with Alertmanager."
    return arrival.line.signal.why


def led_to(arrival: Arrival) -> str:
    """What was done: an action, or a message, or neither."""
    if arrival.line is None:
        return "kept"
    decision = arrival.line.decision
    action = decision.action if decision.action != "none" else "told" if arrival.said else "log only"
    return f"{action}, refused by {decision.gate}" if decision.gate else action


def _row(arrival: Arrival) -> str:
    case, line = arrival.case, arrival.line
    about = line.signal.about.removeprefix(f"other/{case.alert}").strip() if line else ""
    about = about.replace(f"service/{SERVICE}", "SERVICE") or "the cluster"
    message = arrival.said.title.replace(SERVICE, "SERVICE") if arrival.said else ""
    return f"| {case.alert} | {case.severity} | {about} | {led_to(arrival)} | {message} | {arrival.to} |"


def _counted(arrived: Sequence[Arrival]) -> str:
    kinds = [led_to(each) for each in arrived]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))


if __name__ == "__main__":
    PAGE.write_text(page(arrivals()))
    sys.exit(0)
