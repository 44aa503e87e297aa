"""Slack, as far as our methods go: a real HTTP server with Slack's requests, answers and errors (docs.slack.dev/reference/methods).

`python -m tests.support.slack_api 8089` serves it for a lab; the stack's parameter SlackApi names it, and GET /recorded shows what
stands. It remembers messages, threads and files, refuses what Slack would, and fails as it is told (`fail`).
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TOKEN = "xoxb-1234567890-of-a-test"
# By the names that a secret has for them.
CHANNELS = {"default": "C0DEFAULT1", "platform": "C0PLATFRM1", "web": "C0WEBTEAM1"}
PNG = b"\x89PNG\r\n\x1a\n"
# Of https://docs.slack.dev/reference/block-kit/blocks, those that we use.
KINDS = {"section", "context", "actions", "image", "divider", "header", "rich_text"}
MOST_BLOCKS, LONGEST_SECTION, LONGEST_MESSAGE = 50, 3000, 40_000


def secret(address: str = "") -> str:
    """What the stack's secret holds to talk to it; with an address, webhooks of it too."""
    hooks = {name: f"{address}/services/T0/B0/{name}" for name in CHANNELS} if address else {}
    return json.dumps({"token": TOKEN, "channels": CHANNELS, **hooks})


@dataclass
class Call:
    """A request: the method's name (or path), its arguments, and what was answered."""

    method: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    status: int


@dataclass
class Standing:
    """A message as it stands. `edits` counts how often it was edited."""

    channel: str
    ts: str
    body: dict[str, Any]
    thread: str = ""
    aloud: bool = False
    edits: int = 0

    def texts(self) -> list[str]:
        """Everything that it shows, in its order."""
        return texts_of(self.body)

    def buttons(self) -> dict[str, str]:
        """The values of its buttons by their actions."""
        found: dict[str, str] = {}
        for block in blocks_of(self.body):
            if block["type"] == "actions":
                found |= {each["action_id"]: each["value"] for each in block["elements"]}
        return found


@dataclass
class Failure:
    error: str = ""
    status: int = 200
    retry_after: int | None = None
    channel: str = ""
    # Whether it is done all the same, and only the answer is lost.
    done: bool = False


@dataclass
class RecordedSlack:
    """The server. Use it in a `with`."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, list[Failure]] = field(default_factory=dict)
    token: str = TOKEN
    archived: set[str] = field(default_factory=set)
    uploads: bool = True
    # Files that Slack still works on are none to a block.
    processed: bool = True

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._made = 0
        slack = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with slack._lock:
                    status, answer, headers = slack._answer(self.path, dict(self.headers.items()), body)
                self._send(status, answer, headers)

            def do_GET(self) -> None:
                with slack._lock:
                    self._send(200, json.dumps(slack.recorded()).encode(), {})

            def _send(self, status: int, answer: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self.server.server_port}"
        self.address = f"{self.host}/api"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> RecordedSlack:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    # --- what a test asks and tells

    def fail(self, method: str, times: int = 1, **how: Any) -> None:
        """Let the next calls of a method fail (`Failure`)."""
        self.failures.setdefault(method, []).extend(Failure(**how) for _ in range(times))

    def down(self, times: int = 1000) -> None:
        """Answer 503 to everything."""
        self.fail("*", times, status=503)

    def up(self) -> None:
        self.failures.clear()

    def delete(self, ts: str) -> None:
        """Somebody deletes a message."""
        del self.standing[ts]

    def in_channel(self, name: str, thread: str | None = None) -> list[Standing]:
        """What stands in a channel, oldest first; of a thread, or (None) what is not in one."""
        found = [each for each in self.standing.values() if each.channel == CHANNELS[name]]
        return [each for each in found if each.thread == (thread or "")]

    def methods(self) -> list[str]:
        return [call.method for call in self.calls]

    def recorded(self) -> dict[str, Any]:
        """What stands, for pictures and for whoever looks."""
        return {
            "standing": [vars(each) for each in self.standing.values()],
            "files": {
                id: {name: value for name, value in file.items() if name != "bytes"}
                for id, file in self.files.items()
            },
            "calls": [call.method for call in self.calls],
        }

    # --- what Slack does

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        known = {name.lower(): value for name, value in headers.items()}
        if path.startswith("/services/"):
            return self._hook(path, body)
        if path.startswith("/upload/"):
            return self._upload(path, body)
        method = path.removeprefix("/api/")
        arguments = _arguments(known.get("content-type", ""), body)
        failure = self._failure(method, arguments)
        if failure and failure.status != 200 and not failure.done:
            headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
            answer = {"ok": False, "error": failure.error or "ratelimited"}
            self.calls.append(Call(method, arguments, answer, failure.status))
            return failure.status, json.dumps(answer).encode(), headers
        answer = (
            {"ok": False, "error": failure.error}
            if failure and not failure.done
            else self._do(method, arguments, known)
        )
        self.calls.append(Call(method, arguments, answer, 200))
        if failure and failure.done:
            return failure.status, b"", {}
        return 200, json.dumps(answer).encode(), {"content-type": "application/json; charset=utf-8"}

    def _failure(self, method: str, arguments: Mapping[str, Any]) -> Failure | None:
        for name in (method, "*"):
            for n, failure in enumerate(self.failures.get(name, [])):
                if failure.channel in ("", arguments.get("channel")):
                    return self.failures[name].pop(n)
        return None

    def _do(self, method: str, arguments: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        if headers.get("authorization") != f"Bearer {self.token}":
            return {"ok": False, "error": "invalid_auth"}
        do = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "files.getUploadURLExternal": self._place,
            "files.completeUploadExternal": self._complete,
        }.get(method)
        return do(arguments) if do else {"ok": False, "error": "unknown_method"}

    def _refused(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """What Slack would not take of a message."""
        channel = arguments.get("channel")
        if channel not in CHANNELS.values():
            return {"ok": False, "error": "channel_not_found"}
        if channel in self.archived:
            return {"ok": False, "error": "is_archived"}
        if not arguments.get("text") and not arguments.get("blocks"):
            return {"ok": False, "error": "no_text"}
        if len(arguments.get("text", "")) > LONGEST_MESSAGE:
            return {"ok": False, "error": "msg_too_long"}
        why = [*self._wrong(arguments.get("blocks", []), "/blocks")]
        for n, each in enumerate(arguments.get("attachments", [])):
            why += self._wrong(each.get("blocks", []), f"/attachments/{n}/blocks")
        if why:
            messages = [f"[ERROR] {each}" for each in why]
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": messages}}
        return None

    def _wrong(self, blocks: list[dict[str, Any]], at: str) -> list[str]:
        found = []
        if len(blocks) > MOST_BLOCKS:
            found.append(f"no more than {MOST_BLOCKS} items allowed [json-pointer:{at}]")
        for n, block in enumerate(blocks):
            here = f"[json-pointer:{at}/{n}]"
            if block.get("type") not in KINDS:
                found.append(f"unsupported type: {block.get('type')} {here}")
            if block.get("type") == "section" and not 0 < len(block["text"]["text"]) <= LONGEST_SECTION:
                found.append(f"must be more than 0 and less than {LONGEST_SECTION + 1} characters {here}")
            if block.get("type") == "image":
                file = self.files.get(block.get("slack_file", {}).get("id", ""))
                if not (file and file["shared"] and self.processed):
                    found.append(f"invalid slack file {here}")
            for element in block.get("elements", []):
                confirm = element.get("confirm", {}).get("text", {}).get("text", "")
                if len(confirm) > 300:
                    found.append(f"must be less than 301 characters {here}")
        return found

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if (refused := self._refused(arguments)) is not None:
            return refused
        self._made += 1
        ts = f"{1_796_000_000 + self._made}.{self._made:06d}"
        self.standing[ts] = Standing(
            arguments["channel"],
            ts,
            arguments,
            arguments.get("thread_ts", ""),
            bool(arguments.get("reply_broadcast")),
        )
        message = {"type": "message", "subtype": "bot_message", "text": arguments.get("text", ""), "ts": ts}
        return {"ok": True, "channel": arguments["channel"], "ts": ts, "message": message}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        there = self.standing.get(arguments.get("ts", ""))
        if there is None or there.channel != arguments.get("channel"):
            return {"ok": False, "error": "message_not_found"}
        if (refused := self._refused(arguments)) is not None:
            return refused
        # What is left out stays.
        there.body = {**there.body, **arguments}
        there.edits += 1
        return {"ok": True, "channel": there.channel, "ts": there.ts, "text": arguments.get("text", "")}

    def _place(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if not self.uploads:
            return {"ok": False, "error": "file_uploads_disabled"}
        if not str(arguments.get("length", "")).isdecimal() or not arguments.get("filename"):
            return {"ok": False, "error": "invalid_arguments"}
        if len(arguments.get("alt_txt", "")) > 1000:
            return {"ok": False, "error": "alt_txt_too_large"}
        id = f"F0FILE{len(self.files) + 1:04d}"
        self.files[id] = {**arguments, "bytes": b"", "shared": [], "thread": ""}
        return {"ok": True, "upload_url": f"{self.host}/upload/v1/{id}", "file_id": id}

    def _upload(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        file = self.files.get(path.rpartition("/")[2])
        self.calls.append(Call("upload", {"bytes": len(body)}, {}, 200))
        if file is None or len(body) != int(file["length"]):
            return 400, b"", {}
        file["bytes"] = body
        return 200, f"OK - {len(body)}".encode(), {}

    def _complete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        for each in arguments.get("files", []):
            file = self.files.get(each["id"])
            if file is None or not file["bytes"].startswith(PNG):
                return {"ok": False, "error": "file_not_found"}
            if arguments.get("channel_id") not in CHANNELS.values():
                return {"ok": False, "error": "channel_not_found"}
            file["shared"].append(arguments["channel_id"])
            file["thread"] = arguments.get("thread_ts", "")
        return {
            "ok": True,
            "files": [{"id": each["id"], "title": each.get("title")} for each in arguments["files"]],
        }

    def _hook(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        name = path.rpartition("/")[2]
        arguments = {**json.loads(body), "channel": CHANNELS.get(name, "")}
        failure = self._failure("webhook", arguments)
        if failure:
            self.calls.append(Call("webhook", arguments, {}, failure.status))
            headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
            return failure.status, failure.error.encode(), headers
        answer = self._post(arguments)
        self.calls.append(Call("webhook", arguments, answer, 200))
        return (200, b"ok", {}) if answer["ok"] else (400, str(answer["error"]).encode(), {})


def _arguments(kind: str, body: bytes) -> dict[str, Any]:
    if "json" in kind:
        found: dict[str, Any] = json.loads(body)
        return found
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def blocks_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All blocks of a message in the order in which they are seen."""
    found = list(body.get("blocks", []))
    for each in body.get("attachments", []):
        found += each.get("blocks", [])
    return found


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """All that a message shows as text, a block after the other."""
    found = []
    for block in blocks_of(body):
        if "text" in block:
            found.append(block["text"]["text"])
        found += [each["text"] for each in block.get("elements", []) if isinstance(each.get("text"), str)]
    return found


# What Slack makes something of in a text with markup.
MARKUP = re.compile(r"<([^<>]+)>")


def markup_of(body: Mapping[str, Any]) -> list[str]:
    """Everything in a message that Slack would take for a link, a mention or a date."""
    found = []
    for block in blocks_of(body):
        texts = [block["text"]] if "text" in block else []
        texts += [each for each in block.get("elements", []) if each.get("type") == "mrkdwn"]
        for text in texts:
            if text["type"] == "mrkdwn":
                found += MARKUP.findall(text["text"])
    return found + MARKUP.findall(body.get("text", ""))


if __name__ == "__main__":
    slack = RecordedSlack(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"Slack at {slack.address}, with the secret {secret()}", flush=True)
    while True:
        time.sleep(3600)
