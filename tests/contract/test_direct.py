"""Reads without an SDK: signed as botocore signs, refused as botocore refuses, and botocore's own where it must be."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError, EndpointConnectionError

from cli import direct
from cli.direct import client
from cli.signing import Credentials, signed

NOW = 1_795_000_000.0


class Server:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.asked.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status, said = outer.answers.pop(0)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_PROFILE", *direct._SETTINGS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(direct.time, "sleep", lambda seconds: None)
    yield made
    made.stop()


@pytest.mark.parametrize("token", ["", "a-token"])
def test_requests_are_signed_as_botocore_signs_them(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"}
    url, body = "https://dynamodb.eu-central-1.amazonaws.com/", b'{"TableName": "x"}'
    ours = signed(
        "POST",
        url,
        headers,
        body,
        scope=("eu-central-1", "dynamodb"),
        credentials=Credentials("AKID", "secret", token),
        now=NOW,
    )
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC))
    request = AWSRequest("POST", url, data=body, headers=headers)
    SigV4Auth(BotocoreCredentials("AKID", "secret", token or None), "dynamodb", "eu-central-1").add_auth(
        request
    )
    assert ours["authorization"] == request.headers["Authorization"]


def test_it_reads_and_keeps_its_connection(server: Server) -> None:
    full = Mock()
    table = client("dynamodb", "eu-central-1", full)
    assert table is not None
    server.answers = [(200, {"Item": {"pk": {"S": "x"}}}), (200, {"Items": []})]
    assert table.get_item(TableName="t", Key={"pk": {"S": "x"}})["Item"] == {"pk": {"S": "x"}}
    assert table.query(TableName="t") == {"Items": []}
    assert [asked[0]["x-amz-target"] for asked in server.asked] == [
        "DynamoDB_20120810.GetItem",
        "DynamoDB_20120810.Query",
    ]
    full.assert_not_called()


def test_bytes_are_bytes_as_botocore_has_them(server: Server) -> None:
    table = client("dynamodb", "eu-central-1", Mock())
    assert table is not None
    carried = base64.b64encode(b"\x78\x9c saved").decode()
    # An attribute may be called like the kind of a value.
    item = {"saved": {"B": carried}, "B": {"S": "x"}, "all": {"L": [{"B": carried}]}}
    server.answers = [(200, {"Item": item})]
    assert table.get_item(TableName="t", Key={})["Item"] == {
        "saved": {"B": b"\x78\x9c saved"},
        "B": {"S": "x"},
        "all": {"L": [{"B": b"\x78\x9c saved"}]},
    }


def test_where_xml_is_spoken_the_whole_client_asks(server: Server) -> None:
    full = Mock()
    full.return_value.get_caller_identity.return_value = {"Account": "1"}
    sts = client("sts", "eu-central-1", full)
    assert sts is not None
    server.answers = [(200, b"<GetCallerIdentityResponse/>")]
    assert sts.get_caller_identity() == {"Account": "1"}


def test_what_it_cannot_do_the_whole_client_does(server: Server) -> None:
    full = Mock()
    table = client("dynamodb", "eu-central-1", full)
    assert table is not None
    assert table.put_item is full.return_value.put_item


def test_who_is_asking(server: Server) -> None:
    sts = client("sts", "eu-central-1", Mock())
    assert sts is not None
    server.answers = [
        (200, {"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Arn": "arn:x", "Account": "1"}}})
    ]
    assert sts.get_caller_identity()["Account"] == "1"


def test_refusals_are_botocores(server: Server) -> None:
    table = client("dynamodb", "eu-central-1", Mock())
    assert table is not None
    server.answers = [(400, {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no"})]
    with pytest.raises(ClientError) as refused:
        table.query(TableName="t")
    assert refused.value.response["Error"] == {"Code": "AccessDeniedException", "Message": "no"}
    assert refused.value.operation_name == "Query"
    assert len(server.asked) == 1


def test_what_passes_is_asked_again(server: Server) -> None:
    table = client("dynamodb", "eu-central-1", Mock())
    assert table is not None
    busy = (400, {"__type": "x#ThrottlingException", "message": "slow down"})
    server.answers = [(503, {}), busy, (200, {"Items": []})]
    assert table.query(TableName="t") == {"Items": []}
    server.answers = [busy] * direct.ATTEMPTS
    with pytest.raises(ClientError, match="slow down"):
        table.query(TableName="t")


def test_nobody_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    table = client("dynamodb", "eu-central-1", Mock())
    assert table is not None
    with pytest.raises(EndpointConnectionError):
        table.query(TableName="t")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "http://proxy:3128"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
    ],
)
def test_settings_of_the_network_are_botocores_to_understand(
    server: Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert client("dynamodb", "eu-central-1", Mock()) is None


@pytest.mark.parametrize(
    ("config", "credentials", "found"),
    [
        ("", "[work]\naws_access_key_id = A\naws_secret_access_key = B\n", True),
        ("[profile work]\nregion = eu-central-1\n", "[work]\naws_access_key_id = A\naws_secret_access_key = B\n", True),
        ("[profile work]\nrole_arn = x\n", "[work]\naws_access_key_id = A\naws_secret_access_key = B\n", False),
        ("[profile work]\nsso_session = x\n", "", False),
        ("[profile work]\nendpoint_url = http://x\n", "[work]\naws_access_key_id = A\naws_secret_access_key = B\n", False),
        ("", "[work]\ncredential_process = x\n", False),
        ("", "", False),
        ("no section\n", "[work]\naws_access_key_id = A\naws_secret_access_key = B\n", False),
    ],
)  # fmt: skip
def test_profiles(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    credentials: str,
    found: bool,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_PROFILE", "work")
    (tmp_path / "config").write_text(config)
    (tmp_path / "credentials").write_text(credentials)
    assert (client("dynamodb", "eu-central-1", Mock()) is not None) is found


@pytest.mark.parametrize("region", ["us-iso-east-1", "eusc-de-east-1", "x"])
def test_regions_of_other_partitions_are_botocores(server: Server, region: str) -> None:
    assert client("dynamodb", region, Mock()) is None
