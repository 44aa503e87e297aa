"""Signed GETs of a function's URL, over one kept connection, and without an SDK where that can be."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from candlefish.errors import Unavailable
from cli.direct import ATTEMPTS, CONNECT_OR_READ, connection_to
from cli.signing import Credentials, signed


class Got(NamedTuple):
    """An answer: its headers by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Send = Callable[[str, Mapping[str, str]], Got]


class SignedGets:
    """GETs of what is below an origin. `credentials` are asked for at each request: they may be renewed meanwhile."""

    def __init__(
        self, origin: str, region: str, credentials: Callable[[], Credentials], send: Send | None = None
    ) -> None:
        self._origin, self._scope, self._credentials = origin.rstrip("/"), (region, "lambda"), credentials
        self._send = send or _Kept(self._origin)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Got:
        """Ask, and once more where what was wrong passes.

        Raises
        ------
        Unavailable
            Nobody answered, or only that it cannot answer now.
        """
        url = f"{self._origin}{path}"
        why = ""
        for attempt in range(1, ATTEMPTS + 1):
            said = signed(
                "GET",
                url,
                dict(headers or {}),
                b"",
                scope=self._scope,
                credentials=self._credentials(),
                now=time.time(),
            )
            try:
                got = self._send(url, said)
            except (OSError, http.client.HTTPException) as error:
                why = f"{type(error).__name__}: {error}"
            else:
                if got.status < 500 and got.status != 429:
                    return got
                why = f"it answered {got.status}"
            if attempt < ATTEMPTS:
                time.sleep(random.uniform(0, 0.1 * 2**attempt))
        raise Unavailable(f"{self._origin} did not answer ({why}); how it stands is not known, try again")


class _Kept:
    """One connection, made again where it was closed."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._connection: http.client.HTTPConnection | None = None

    def __call__(self, url: str, headers: Mapping[str, str]) -> Got:
        split = urlsplit(url)
        try:
            if self._connection is None:
                self._connection = connection_to(self._origin)
            path = f"{split.path}?{split.query}" if split.query else split.path
            self._connection.request("GET", path, headers=dict(headers))
            answer = self._connection.getresponse()
            return Got(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection = None
            raise


def by_botocore(url: str, headers: Mapping[str, str]) -> Got:
    """Send as botocore does: through proxies, by its own certificates."""
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import HTTPClientError
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    session: Any = URLLib3Session(timeout=CONNECT_OR_READ, proxies=get_environ_proxies(url))
    try:
        answer = session.send(AWSRequest("GET", url, headers=dict(headers)).prepare())
    except HTTPClientError as error:
        raise OSError(str(error)) from error
    return Got(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)
