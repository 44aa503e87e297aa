"""Bundles, the front door and hooks: the same cases in memory, on S3 (moto), over HTTP and through Lambda's API."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from candlefish.adapters.aws.s3_bundles import S3Bundles
from candlefish.adapters.http.front_door import FrontDoor
from candlefish.adapters.http.hooks import HookCaller
from candlefish.errors import InvalidInput, Unavailable
from candlefish.release.model import HookAnswer
from candlefish.release.ports import Bundles, Hooks, Web
from lab.memory.release import MemoryBundles, MemoryHooks
from tests.support.release_edges import FakeWeb

pytestmark = pytest.mark.enable_socket


# --- bundles --------------------------------------------------------------------------------

OBJECTS = [{"kind": "ConfigMap", "metadata": {"name": "api"}, "data": {"a": "1"}}]
Put = Callable[[bytes], tuple[str, str]]


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.fixture(params=["fake", "s3"])
def bundles(request: pytest.FixtureRequest) -> Iterator[tuple[Bundles, Put]]:
    """Bundles, and how one is put there: its address and digest."""
    uri = "s3://bundles/api.json"
    if request.param == "fake":
        kept: dict[str, bytes] = {}
        yield MemoryBundles(kept), lambda body: (uri, digest_of(kept.setdefault(uri, body)))
        return
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bundles")

        def put(body: bytes) -> tuple[str, str]:
            client.put_object(Bucket="bundles", Key="api.json", Body=body)
            return uri, digest_of(body)

        yield S3Bundles(client), put


def test_a_bundle_is_read_as_it_was_put(bundles: tuple[Bundles, Put]) -> None:
    reader, put = bundles
    uri, digest = put(json.dumps(OBJECTS).encode())
    assert reader.read(uri, digest) == OBJECTS
    assert reader.read(uri, digest.removeprefix("sha256:")) == OBJECTS


def test_a_bundle_that_is_not_there_is_named(bundles: tuple[Bundles, Put]) -> None:
    with pytest.raises(InvalidInput, match="there is no bundle s3://bundles/none"):
        bundles[0].read("s3://bundles/none", "sha256:0")


def test_a_bundle_that_was_changed_is_refused(bundles: tuple[Bundles, Put]) -> None:
    reader, put = bundles
    uri, _ = put(json.dumps(OBJECTS).encode())
    with pytest.raises(InvalidInput, match="changed since"):
        reader.read(uri, digest_of(b"[]"))


@pytest.mark.parametrize("body", [b"{}", b"kind: ConfigMap", b"[1]"])
def test_what_is_no_list_of_objects_is_no_bundle(bundles: tuple[Bundles, Put], body: bytes) -> None:
    reader, put = bundles
    with pytest.raises(InvalidInput, match="no JSON array"):
        reader.read(*put(body))


# --- the front door -------------------------------------------------------------------------


class Door:
    """A load balancer that answers with a list of statuses, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        left, asked = list(statuses), self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked.append((self.headers["host"], self.path, headers))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


Asked = list[tuple[str, str, dict[str, str]]]
Opened = Callable[..., tuple[Web, Asked]]


@pytest.fixture(params=["fake", "http"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a door with the statuses that it answers; the port, and what it was asked."""
    doors: list[Door] = []

    def make(*statuses: int) -> tuple[Web, Asked]:
        if request.param == "fake":
            fake = FakeWeb(*statuses)
            return fake, fake.asked
        if statuses == (0,):
            return FrontDoor(lambda listener: "http://127.0.0.1:9"), []
        doors.append(Door(*statuses))
        return FrontDoor(lambda listener, url=doors[-1].url: url), doors[-1].asked

    yield make
    for door in doors:
        door.close()


def test_the_door_is_asked_as_a_user_of_the_host_would(opened: Opened) -> None:
    web, asked = opened(200)
    assert web.get("listener", "api.example", "/health", {"x-candlefish-smoke": "s"}).status == 200
    ((host, path, headers),) = asked
    assert (host, path, headers["x-candlefish-smoke"]) == ("api.example", "/health", "s")


def test_each_answer_is_told_as_it_is(opened: Opened) -> None:
    web, _ = opened(503, 301, 404, 200)
    assert [web.get("listener", "api.example", "/", {}).status for _ in range(5)] == [503, 301, 404, 200, 200]


def test_no_answer_is_status_0_and_no_error(opened: Opened) -> None:
    web, _ = opened(0)
    assert web.get("listener", "api.example", "/", {}).status == 0


# --- hooks ----------------------------------------------------------------------------------


class Functions:
    """Lambda's API with one function."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    def invoke(self, **call: Any) -> dict[str, Any]:
        self.asked.append((call["FunctionName"], json.loads(call["Payload"])))
        if self.answer is None:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "timed out"}')}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}


Hooked = Callable[[HookAnswer | None], tuple[Hooks, list[tuple[str, Any]]]]


@pytest.fixture(params=["fake", "lambda"])
def hooked(request: pytest.FixtureRequest) -> Hooked:
    """Hooks that give an answer, or none; and what they were asked."""

    def make(answer: HookAnswer | None) -> tuple[Hooks, list[tuple[str, Any]]]:
        if request.param == "fake":
            fake = MemoryHooks(answer)
            return fake, fake.asked
        functions = Functions(answer and {"passed": answer.passed, "reason": answer.reason})
        return HookCaller(functions), functions.asked

    return make


@pytest.mark.parametrize("answer", [HookAnswer(True, "compatible"), HookAnswer(False, "column is used")])
def test_a_hook_is_asked_and_its_answer_told(hooked: Hooked, answer: HookAnswer) -> None:
    hooks, asked = hooked(answer)
    assert hooks.call("candlefish-hook-migrations", {"release": "r2"}, 30.0) == answer
    assert asked == [("candlefish-hook-migrations", {"release": "r2"})]


def test_a_hook_that_does_not_answer_is_unavailable_and_no_yes(hooked: Hooked) -> None:
    hooks, _ = hooked(None)
    with pytest.raises(Unavailable, match="candlefish-hook-migrations"):
        hooks.call("candlefish-hook-migrations", {}, 30.0)


@pytest.mark.parametrize("answer", ["yes", True, {"ok": True}, []])
def test_what_is_no_clear_answer_of_a_function_is_a_no(answer: Any) -> None:
    said = HookCaller(Functions(answer)).call("hook", {}, 30.0)
    assert not said.passed and "must answer" in said.reason


def test_an_https_hook_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        HookCaller(None).call("https://127.0.0.1:9/hook", {}, 0.5)
