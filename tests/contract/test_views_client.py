"""Views as the command asks for them: signed as botocore signs, once where nothing changed, and refused in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from candlefish.errors import Misconfigured, NotAllowed, Unavailable
from candlefish.views.model import ReleaseView
from candlefish.web import PROOF_HEADER
from cli import direct, signed_gets
from cli.signing import Credentials, presigned, signed
from cli.stack import Stack
from cli.views import NotThere, Views
from tests.support.views import ID, SAMPLES, sample_text

NOW = 1_795_000_000.0
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """AWS Lambda's API and a function's URL: answers by path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.functions: set[str] = {"candlefish-prod-serve-views", "candlefish-prod-request-release"}
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path.startswith("/2021-10-31/"):
                    name = self.path.split("/")[3]
                    there = name in outer.functions
                    said = {"FunctionUrl": f"{outer.url}/"} if there else {"Message": "Function not found"}
                    self._reply(200 if there else 404, {}, json.dumps(said).encode())
                    return
                outer.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                self._reply(*outer.answers.pop(0))

            def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_PROFILE", *direct._SETTINGS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(signed_gets.time, "sleep", lambda seconds: None)  # type: ignore[attr-defined]
    yield made
    made.stop()


def views() -> Views:
    return Views(Stack("prod", "eu-central-1"))


def release(tag: str = "") -> Answer:
    return 200, {"etag": tag} if tag else {}, sample_text("release-canary").encode()


def test_a_view_is_what_was_sent(server: Server) -> None:
    server.answers = [release()]
    assert views().release(ID) == SAMPLES["release-canary"]()
    path, headers = server.asked[0]
    assert path == f"/v1/releases/{ID}"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")
    assert "/eu-central-1/lambda/aws4_request" in headers["authorization"]
    assert parse_qs(headers[PROOF_HEADER])["Action"] == ["GetCallerIdentity"]


def test_what_did_not_change_is_not_sent_again(server: Server) -> None:
    server.answers = [release('W/"1"'), (304, {}, b""), release('W/"2"'), (304, {}, b"")]
    asked = views()
    for _ in range(4):
        assert asked.release(ID).id == ID
    assert [headers.get("if-none-match") for _, headers in server.asked] == [None, 'W/"1"', 'W/"1"', 'W/"2"']


def test_what_a_newer_stack_says_besides_is_left_out(server: Server) -> None:
    more = {**json.loads(sample_text("release-canary")), "weather": "fine"}
    server.answers = [(200, {}, json.dumps(more).encode())]
    assert isinstance(views().release(ID), ReleaseView)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((404, {}, b'{"detail": "there is no release x"}'), NotThere, "there is no release x"),
        ((403, {}, b'{"Message": "Forbidden"}'), NotAllowed, "Forbidden .your credentials"),
        ((200, {}, b'{"id": 7}'), Misconfigured, "use the command of the stack's version"),
        ((200, {}, b"<html>"), Misconfigured, "does not know"),
        ((400, {}, b"\xff"), Exception, "answered 400 to /v1/releases/x"),
    ],
)
def test_refusals_are_words(server: Server, answer: Answer, error: type[Exception], words: str) -> None:
    server.answers = [answer]
    with pytest.raises(error, match=words):
        views().release("x")


def test_what_passes_is_asked_again_and_silence_is_not_health(server: Server) -> None:
    server.answers = [(503, {}, b"{}"), (429, {}, b"{}"), release()]
    assert views().release(ID).id == ID
    server.answers = [(502, {}, b"")] * direct.ATTEMPTS
    with pytest.raises(Unavailable, match=r"did not answer .it answered 502.; how it stands is not known"):
        views().release(ID)


def test_an_older_stack_and_none_at_all_are_told_apart(server: Server) -> None:
    server.functions = {"candlefish-prod-request-release"}
    with pytest.raises(Misconfigured, match=r"is older than this command.*make deploy ENV=prod"):
        views().fleet()
    server.functions = set()
    with pytest.raises(Misconfigured, match="there is no stack candlefish-prod in eu-central-1"):
        views().fleet()


def test_pages_are_asked_for_by_their_cursor(server: Server) -> None:
    server.answers = [(200, {}, b'{"releases": [], "older": ""}')]
    views().releases("a service/x", "001 2&3")
    path, _ = server.asked[0]
    assert urlsplit(path).path == "/v1/services/a%20service%2Fx/releases"
    assert parse_qs(urlsplit(path).query) == {"before": ["001 2&3"]}


@pytest.mark.parametrize("token", ["", "a-token"])
@pytest.mark.parametrize(
    "path", ["/v1/fleet", "/v1/releases/x/timeline?before=001%202%263", "/v1/services/a%20b?z=1&a=%C3%A9&a=~"]
)
def test_a_query_is_signed_as_botocore_signs_it(
    path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://x.lambda-url.eu-central-1.on.aws{path}"
    keys = Credentials("AKID", "secret", token)
    ours = signed("GET", url, {}, b"", scope=("eu-central-1", "lambda"), credentials=keys, now=NOW)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC))
    request = AWSRequest("GET", url)
    SigV4Auth(BotocoreCredentials("AKID", "secret", token or None), "lambda", "eu-central-1").add_auth(
        request
    )
    assert ours["authorization"] == request.headers["Authorization"]


@pytest.mark.parametrize("token", ["", "a+token/="])
def test_a_proof_is_signed_as_botocore_signs_it(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    headers, keys = {"x-candlefish-request": "ab" * 32}, Credentials("AKID", "secret", token)
    ours = presigned(url, headers, scope=("eu-central-1", "sts"), credentials=keys, now=NOW, expires=60)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC))
    request = AWSRequest("GET", url, headers=headers)
    known = BotocoreCredentials("AKID", "secret", token or None)
    SigV4QueryAuth(known, "sts", "eu-central-1", expires=60).add_auth(request)
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(request.url).query)
