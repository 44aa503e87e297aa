"""A stack that answers at once: the table, the tags, and the functions' URLs that the command asks, on loopback."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.records import DynamoRecords
from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.model import SLOTS, Version
from candlefish.service.record import acquire, intend_weight, new_record, promote
from candlefish.views.model import (
    ColumnView,
    EntryView,
    FleetView,
    ReleaseLine,
    ReleaseView,
    ServiceCell,
    ServiceView,
    VersionView,
    Who,
)

ENVIRONMENT, SERVICE, RELEASE, QUESTION = "prod", "shop", "shop-20261130-120000-ab12", "q1w2e3r4"
ACCOUNT = "111111111111"
ARN = f"arn:aws:iam::{ACCOUNT}:user/ann"
# As STS says it to whoever asks for no JSON.
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>{ARN}</Arn><Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
# One moment for all that a stack says.
BEGAN = time.time()
IMAGE = "registry.example/shop@sha256:" + "1" * 64


class Table:
    """One DynamoDB table, as far as reads and plain writes go."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - as DynamoDB has it
        self.items[Item["pk"]["S"], Item["sk"]["S"]] = json.loads(json.dumps(Item))
        return {}

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        item = self.items.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {} if item is None else {"Item": item}

    def query(self, **asked: Any) -> dict[str, Any]:
        values = asked["ExpressionAttributeValues"]
        prefix = values.get(":prefix", {"S": ""})["S"]
        found = sorted(
            key for key in self.items if key[0] == values[":pk"]["S"] and key[1].startswith(prefix)
        )
        if not asked.get("ScanIndexForward", True):
            found.reverse()
        return {"Items": [self.items[key] for key in found[: asked.get("Limit", len(found))]]}


def seeded(now: float) -> Table:
    """A service with a stable version, and a promoted release of it that was asked a question."""
    table = Table()
    version = Version(IMAGE, label="1.4.0")
    record = new_record(
        ENVIRONMENT, SERVICE, rule="arn:rule", smoke_rule="arn:smoke", smoke_token="s",
        target_groups={slot: f"arn:{slot}" for slot in SLOTS},
    )  # fmt: skip
    record = acquire(
        record, release=RELEASE, execution="arn:execution", version=version, in_place=False, now=now, lease=900.0
    )  # fmt: skip
    slot = next(slot for slot in SLOTS if record.slots[slot].state == "candidate")
    record = intend_weight(record, generation=record.generation, slot=slot, weight=100)
    record = promote(record, generation=record.generation, now=now, window=60.0)
    DynamoRecords(table, f"candlefish-{ENVIRONMENT}", ENVIRONMENT).create(record)
    journal = DynamoJournalStore(table, f"candlefish-{ENVIRONMENT}", ENVIRONMENT)
    journal.open(
        Release(RELEASE, ENVIRONMENT, SERVICE, version, "ann", "new prices", now, status="promoted", slot=slot)
    )  # fmt: skip
    for place, (kind, reason) in enumerate(
        (("started", "1.4.0 takes over from nothing"), ("promoted", "all is well"))
    ):
        journal.append(RELEASE, ReleaseEntry(now + place, kind, reason))
    return table


def seen(path: str) -> FleetView | ServiceView | ReleaseView:
    """What people see of it."""
    now = BEGAN
    ann, version = Who("ann", "approver"), VersionView("1.4.0", IMAGE)
    says = "all is well"
    cell = ServiceCell(ENVIRONMENT, SERVICE, "all traffic on 1.4.0", "good", version)
    if path == "fleet":
        column = ColumnView(ENVIRONMENT, True, f"{SERVICE} in {ENVIRONMENT}: all is well", "good")
        return FleetView(now, says, "good", (), (column,), (cell,))
    if path.startswith("services/"):
        line = ReleaseLine(RELEASE, SERVICE, "1.4.0", "promoted", says, "good", now - 120, ann, "new prices")
        return ServiceView(cell, now, (), None, (line,))
    entries = (EntryView(now - 119, "promoted", "promoted", "good", says, Who("control-plane")),)
    return ReleaseView(
        RELEASE, ENVIRONMENT, SERVICE, "promoted", says, "good", None, version, "rolling", ann, "new prices",
        now - 120, now - 119, now, timeline=entries,
    )  # fmt: skip


class Instant:
    """The stack, and what it was asked for in the name of people."""

    def __init__(self) -> None:
        self.table = seeded(time.time() - 120)
        self.asked: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if "/v1/" in self.path:
                    self._reply(msgspec.to_builtins(seen(self.path.partition("/v1/")[2])))
                    return
                self._reply({"FunctionUrl": f"{outer.endpoint}/call{self.path.split('/')[3]}"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                target = self.headers.get("x-amz-target", "")
                if self.headers.get("accept") != "application/json" and body.startswith(b"Action="):
                    self._reply(IDENTITY)
                else:
                    self._reply(outer.answer(self.path, target, body))

            def _reply(self, said: Any) -> None:
                data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, target: str, body: bytes) -> Any:
        """What AWS would say."""
        operation = target.rpartition(".")[2]
        if operation in ("GetItem", "Query"):
            asked = json.loads(body)
            return self.table.get_item(**asked) if operation == "GetItem" else self.table.query(**asked)
        if operation == "ListTagsForResource":
            return {"tags": []}
        if path.startswith("/call"):
            said = json.loads(body)
            self.asked.append(said)
            if said.get("look"):
                return {"service": SERVICE, "configuration": "", "parts": {}}
            answered = {
                "release": RELEASE,
                "status": "approved",
                "by": "ann",
                "approvers": ["ann"],
                "left": 0,
            }
            return answered if "decide" in path else {}
        return {"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": ACCOUNT, "Arn": ARN}}}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
