"""How fast 500 alerts are taken over HTTP in the lab, in fewer and fewer deliveries, and who spends the time.

Run with `python -m tests.benchmarks.alerts`. Exits 1 when a delivery is not taken. Times depend on the machine
and are only printed: the lab's one process holds the HTTP servers, moto and the senders; the functions run in
processes of their own.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import urllib3
from rich.console import Console
from rich.table import Table

from lab.looks import looks
from lab.scenes.driver import alert_token
from lab.world import World
from tests.support.waiting import PATIENCE

ENVIRONMENT = "production"
ALERTS = 500
DELIVERIES = (1, 10, 50, 500)
AT_ONCE = 16


def main() -> int:
    """Send, print."""
    logging.basicConfig(level=logging.CRITICAL)
    table = Table(title=f"{ALERTS} alerts, up to {AT_ONCE} deliveries at once", title_justify="left")
    for column in ("deliveries", "seconds", "CPU s of the lab", "CPU s of the functions", "not taken"):
        table.add_column(column, justify="right")
    refused = 0
    with tempfile.TemporaryDirectory() as folder, World(Path(folder), time_scale=30) as world:
        world.up((ENVIRONMENT,))
        site = world.sites[ENVIRONMENT]
        send = partial(post, site.stack.outputs["AlertsUrl"], alert_token(world, ENVIRONMENT))
        send(1, 0)  # The first worker.
        for deliveries in DELIVERIES:
            settle(world)
            began, own, others = time.perf_counter(), time.process_time(), functions_cpu()
            with ThreadPoolExecutor(min(AT_ONCE, deliveries)) as pool:
                statuses = list(pool.map(partial(send, ALERTS // deliveries), range(1, deliveries + 1)))
            took = time.perf_counter() - began
            spent = time.process_time() - own, functions_cpu() - others
            bad = sum(status != 202 for status in statuses)
            refused += bad
            table.add_row(str(deliveries), f"{took:.2f}", f"{spent[0]:.2f}", f"{spent[1]:.2f}", str(bad))
    Console().print(table)
    return 1 if refused else 0


def post(url: str, token: str, size: int, number: int) -> int:
    """Send one delivery of `size` alerts; the status."""
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "ServiceDown", "service": "storefront", "environment": ENVIRONMENT},
            "annotations": {"summary": "it is down"},
            "startsAt": started,
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"{size:04d}{number:06d}{each:06d}",
        }
        for each in range(size)
    ]
    body = json.dumps({"version": "4", "groupKey": "{}", "status": "firing", "alerts": alerts})
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=60).status


def settle(world: World, seconds: float = PATIENCE) -> None:
    """Wait until nothing is queued: what an earlier round left must not cost the next one."""
    sqs = world.clients(world.sites[ENVIRONMENT].region)("sqs")
    queue = sqs.get_queue_url(QueueName=f"candlefish-{ENVIRONMENT}-signals")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for _ in looks(seconds):
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        if not any(int(count) for count in left.values()):
            return
    raise TimeoutError(f"after {seconds:g} s the signals queue still holds {left}")


def functions_cpu() -> float:
    """CPU seconds of every process below this one, ended ones that were waited for included (Linux)."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # It has just ended.
                continue
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def below(process: int) -> bool:
        while process and process != os.getpid():
            process = parents.get(process, 0)
        return bool(process)

    return sum(seconds for process, seconds in spent.items() if process != os.getpid() and below(process))


if __name__ == "__main__":
    raise SystemExit(main())
