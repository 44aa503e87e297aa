"""A few reads of AWS that wait for no SDK: `status` shows something before botocore would have been imported.

Signature Version 4 (`cli.signing`) and JSON over one kept connection. Where credentials, endpoints or the network are set up in a way
that is botocore's to understand (single sign-on, roles, proxies, ...), there is no such client: `client` returns None.
"""

from __future__ import annotations

import base64
import configparser
import http.client
import json
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cli.signing import Credentials, signed


class _Api(NamedTuple):
    prefix: str
    endpoint_variable: str
    target: str
    operations: Mapping[str, str]


APIS = {
    "dynamodb": _Api("dynamodb", "DYNAMODB", "DynamoDB_20120810", {"get_item": "GetItem", "query": "Query"}),
    "stepfunctions": _Api(
        "states", "SFN", "AWSStepFunctions", {"list_tags_for_resource": "ListTagsForResource"}
    ),
    "sts": _Api("sts", "STS", "", {"get_caller_identity": "GetCallerIdentity"}),
}
# Regions of the partitions whose names end in amazonaws.com or amazonaws.com.cn.
_REGION = re.compile(r"(?:us-gov|[a-z]{2})-[a-z]+-\d")
# Botocore's to understand.
_SETTINGS = (
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"),
)
_PLAIN = frozenset({"region", "output", "cli_pager", "cli_auto_prompt"})
_KEYS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token"})
ATTEMPTS = 4
CONNECT_OR_READ = 8.0


def client(service: str, region: str, full: Callable[[], Any]) -> Any | None:
    """A client of one of `APIS` in a region; whatever it cannot do, the `full` client does. None where it cannot know
    the credentials or the endpoint.
    """
    credentials = plain_credentials(region) if service in APIS else None
    return _Client(APIS[service], region, credentials, full) if credentials else None


def plain_credentials(region: str) -> Credentials | None:
    """Keys that are known without an SDK, in a region whose endpoints are; None where that is botocore's to find out."""
    if any(os.environ.get(name) for name in _SETTINGS) or not _REGION.fullmatch(region):
        return None
    return _credentials()


def endpoint_of(prefix: str, variable: str, region: str) -> str:
    """Where an API of AWS is in a region, without a slash at its end."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return (
        os.environ.get(f"AWS_ENDPOINT_URL_{variable}")
        or os.environ.get("AWS_ENDPOINT_URL")
        or f"https://{prefix}.{region}.amazonaws.com{suffix}"
    ).rstrip("/")


def connection_to(origin: str) -> http.client.HTTPConnection:
    """A connection that is kept."""
    split = urlsplit(origin)
    if split.scheme == "https":
        roots = ssl.create_default_context(cafile=_roots())
        return http.client.HTTPSConnection(split.netloc, timeout=CONNECT_OR_READ, context=roots)
    return http.client.HTTPConnection(split.netloc, timeout=CONNECT_OR_READ)


def _credentials() -> Credentials | None:
    """Keys of the environment, or a profile's plain keys where nothing else is said of that profile."""
    environ = os.environ
    if (key := environ.get("AWS_ACCESS_KEY_ID")) and (secret := environ.get("AWS_SECRET_ACCESS_KEY")):
        return None if _profile() - _PLAIN else Credentials(key, secret, environ.get("AWS_SESSION_TOKEN", ""))
    if _profile() - _PLAIN:
        return None
    found = _section(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", _name())
    if not {"aws_access_key_id", "aws_secret_access_key"} <= found.keys() <= _KEYS:
        return None
    return Credentials(
        found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token", "")
    )


def _name() -> str:
    return os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"


def _profile() -> frozenset[str]:
    """What the configuration says of the profile in use: the names of its settings."""
    section = _name() if _name() == "default" else f"profile {_name()}"
    return frozenset(_section(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config", section))


def _section(file: str, section: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(Path(file).expanduser(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        # Botocore will say what is wrong with it.
        return {"unreadable": file}
    return dict(parser[section]) if parser.has_section(section) else {}


class _Client:
    """Looks like botocore's client for the operations of its `_Api`; its refusals are botocore's `ClientError`."""

    def __init__(self, api: _Api, region: str, credentials: Credentials, full: Callable[[], Any]) -> None:
        self._api, self._scope, self._credentials, self._full = api, (region, api.prefix), credentials, full
        self._url = endpoint_of(api.prefix, api.endpoint_variable, region) + "/"
        self._connection: http.client.HTTPConnection | None = None

    def __getattr__(self, operation: str) -> Any:
        name = self._api.operations.get(operation)
        if name is None:
            return getattr(self._full(), operation)

        def ask(**arguments: Any) -> Any:
            try:
                return self._ask(name, arguments)
            except json.JSONDecodeError:
                # What stands in for AWS at an endpoint of one's own may speak XML alone, as moto's STS does.
                return getattr(self._full(), operation)(**arguments)

        return ask

    def _ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        headers, body = self._request(operation, arguments)
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                status, answer = self._send(headers, body)
            except (OSError, http.client.HTTPException) as error:
                self._connection = None
                if last:
                    raise _unanswered(self._url, error) from error
            else:
                if status == 200:
                    return self._read(operation, answer)
                if last or not (status >= 500 or b"Throttl" in answer or b"ProvisionedThroughput" in answer):
                    raise _refused(operation, status, answer)
            time.sleep(random.uniform(0, 0.1 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _request(self, operation: str, arguments: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        if not self._api.target:
            form = "application/x-www-form-urlencoded; charset=utf-8"
            return {"content-type": form, "accept": "application/json"}, (
                f"Action={operation}&Version=2011-06-15".encode()
            )
        return {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{self._api.target}.{operation}",
        }, json.dumps(arguments).encode()

    def _send(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = connection_to(self._url)
        all_headers = signed(
            "POST",
            self._url,
            headers,
            body,
            scope=self._scope,
            credentials=self._credentials,
            now=time.time(),
        )
        self._connection.request("POST", urlsplit(self._url).path, body, all_headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _read(self, operation: str, answer: bytes) -> Any:
        if self._api.target:
            return json.loads(answer, object_hook=_with_bytes)
        return json.loads(answer)[f"{operation}Response"][f"{operation}Result"]


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    """A value of DynamoDB's with its bytes as botocore has them: JSON carries them in base64."""
    if len(value) == 1 and isinstance(carried := value.get("B"), str):
        return {"B": base64.b64decode(carried)}
    return value


def _roots() -> str | None:
    """The certificates by which botocore trusts AWS: those of the variable, or its own."""
    if named := os.environ.get("AWS_CA_BUNDLE"):
        return named
    spec = find_spec("botocore")
    return str(Path(spec.origin).with_name("cacert.pem")) if spec and spec.origin else None


def _refused(operation: str, status: int, answer: bytes) -> Exception:
    from botocore.exceptions import ClientError

    try:
        said = json.loads(answer)
        said = said.get("Error", said)
        code = str(said.get("__type") or said.get("Code") or status).rpartition("#")[2]
        message = str(said.get("message") or said.get("Message") or "")
    except (ValueError, AttributeError):
        code, message = str(status), answer[:200].decode(errors="replace")
    refusal: Exception = ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )
    return refusal


def _unanswered(url: str, error: Exception) -> Exception:
    from botocore.exceptions import EndpointConnectionError

    silence: Exception = EndpointConnectionError(endpoint_url=url, error=error)
    return silence
