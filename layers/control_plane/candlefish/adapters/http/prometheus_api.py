"""Asking a Prometheus: its HTTP API, who we are, and answers that are bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3

from candlefish.bounds import fit_line
from candlefish.errors import Unavailable

# Points per series that are asked for at once; Prometheus answers 11,000.
MOST_POINTS = 500
# An answer that is larger is not read, in bytes.
MOST_BYTES = 24_000_000

Headers = Mapping[str, str]
# Signs a request: method, URL, headers, body -> headers.
Signer = Callable[[str, str, Headers, bytes], Headers]
# Gives the header `Authorization`, and a fresh one when the last was refused.
Authorize = Callable[[bool], str]


class Row(msgspec.Struct):
    """One series: its labels, and (epoch seconds, value as text) where it has a sample."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class TooLarge(Exception):
    """The answer is larger than what is read."""


class Refused(Unavailable):
    """Prometheus does not know such a query."""


class _Data(msgspec.Struct):
    result: list[Row] = []


class _Answer(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""
    warnings: list[str] = []


_DECODER = msgspec.json.Decoder(_Answer)


class PrometheusApi:
    """`query_range` of a Prometheus, or of an AMP workspace."""

    def __init__(
        self,
        url: str,
        headers: Headers | None = None,
        sign: Signer | None = None,
        authorize: Authorize | None = None,
        timeout: float = 8.0,
    ) -> None:
        """`url` is the server's, or the workspace's, without `/api/v1`; `timeout` in seconds."""
        self._url = f"{url.rstrip('/')}/api/v1/query_range"
        self._headers = dict(headers or {})
        self._sign = sign
        self._authorize = authorize
        limits = urllib3.Timeout(connect=min(2.0, timeout), read=timeout)
        self._pool = urllib3.PoolManager(retries=False, timeout=limits)

    def rows(self, expression: str, edges: Sequence[float]) -> list[Row]:
        """Every series of an expression at these times, which are equally far apart.

        Raises
        ------
        Unavailable
            Prometheus did not answer, or only in part; `Refused` when it does not take the expression.
        TooLarge
            There are too many series.
        """
        step = edges[1] - edges[0] if len(edges) > 1 else 1.0
        span = {"start": f"{edges[0]:.3f}", "end": f"{edges[-1]:.3f}", "step": f"{step:g}"}
        fields = urlencode({"query": expression, **span}).encode()
        status, body = self._post(fields, fresh=False)
        if status == 401 and self._authorize:
            status, body = self._post(fields, fresh=True)
        return self._decoded(status, body)

    def _post(self, body: bytes, fresh: bool) -> tuple[int, bytes]:
        headers: Headers = {"Content-Type": "application/x-www-form-urlencoded", **self._headers}
        if self._authorize:
            headers = {**headers, "Authorization": self._authorize(fresh)}
        if self._sign:
            headers = self._sign("POST", self._url, headers, body)
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=headers, preload_content=False)
            try:
                data = _read(answer)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"Prometheus at {self._url} did not answer: {error}") from error
        return answer.status, data

    def _decoded(self, status: int, body: bytes) -> list[Row]:
        if status in (401, 403):
            raise Unavailable(
                f"Prometheus at {self._url} answered {status}: it does not let us in; look at the secret behind the "
                "stack's parameter PrometheusSecretArn (docs/judge.md)"
            )
        try:
            decoded = _DECODER.decode(body)
        except msgspec.DecodeError as error:
            raise Unavailable(
                f"Prometheus at {self._url} answered {status} and not in its API's JSON; "
                "check the URL and the credentials"
            ) from error
        if status != 200 or decoded.status != "success":
            kind = Refused if status in (400, 422) else Unavailable
            raise kind(f"Prometheus at {self._url} answered {status}: {fit_line(decoded.error, 300)}")
        if decoded.warnings:
            said = fit_line("; ".join(decoded.warnings), 300)
            raise Unavailable(f"Prometheus at {self._url} answered in part: {said}")
        return decoded.data.result


def _read(answer: Any) -> bytes:
    data = bytes(answer.read(MOST_BYTES + 1))
    if len(data) > MOST_BYTES:
        answer.close()
        raise TooLarge
    return data


def amp_signer(session: Any, region: str) -> Signer:
    """Signs requests to an AMP workspace with the credentials of a botocore session (SigV4, `aps`)."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    def sign(method: str, url: str, headers: Headers, body: bytes) -> Headers:
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        credentials = session.get_credentials()
        if credentials is None:
            raise Unavailable(f"no AWS credentials to sign the request to {url} with")
        SigV4Auth(credentials.get_frozen_credentials(), "aps", region).add_auth(request)
        return dict(request.headers.items())

    return sign
