"""Requests to the Kubernetes API: one connection pool, only the cluster's CA, bounded retries.

The `kubernetes` package's typed API would build hundreds of models first; `ApiClient.call_api`
sends JSON and leaves the status to us. Every request here may be repeated without harm (GET,
server-side apply, patches that set values, and making an object that has a name), so all of them
are retried, as long as the function lives: it sends nothing that it could not hear the answer of.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException

from candlefish.adapters.kubernetes.messages import APPLY, ApiResponse
from candlefish.adapters.kubernetes.refusal import read_status, refusal
from candlefish.errors import ControlPlaneError, Throttled, Unavailable

ATTEMPTS = 4
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
# Connect and read, in seconds.
TIMEOUT = (3.0, 10.0)
# What a function needs after its last request, and the shortest time that a request is given, in seconds.
TO_END, LEAST = 1.0, 0.5
BUSY = 429
UNAUTHORIZED = 401
USER_AGENT = "candlefish-control-plane"


class TokenSource(Protocol):
    """Gives the bearer token to send; `fresh` asks for a new one."""

    def __call__(self, *, fresh: bool = False) -> str: ...


class Api:
    """The API of one cluster.

    Parameters
    ----------
    left
        Seconds until the function that asks is stopped: no request lasts longer.
    """

    def __init__(
        self,
        endpoint: str,
        ca_pem: str,
        tokens: TokenSource,
        *,
        sleep: Callable[[float], None],
        left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        configuration = Configuration(host=endpoint, ca_cert_data=ca_pem, retries=False)
        self._client = ApiClient(configuration)
        self._endpoint, self._tokens, self._sleep, self._left = endpoint, tokens, sleep, left

    def request(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> ApiResponse:
        """Send a request; `subject` names what it is about in errors.

        Raises
        ------
        Throttled, Unavailable
            The API is busy or does not answer, after `ATTEMPTS` tries, or as many as there is time for.
        ClusterRefused
            It does not know us, even with a fresh token.
        """
        url = self._endpoint + path + (f"?{urlencode(query)}" if query else "")
        fresh = False
        problem: ControlPlaneError | None = None
        for attempt in range(ATTEMPTS):
            wait = 0.0
            timeout = _within(self._left() - TO_END)
            if timeout is None:
                raise problem or Unavailable(
                    f"{subject}: the function has no time left to ask the cluster's API at {self._endpoint}; "
                    "it is asked by the next attempt"
                )
            try:
                code, data, wait = self._send(method, url, body, content_type, timeout, fresh=fresh)
            except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
                why = f"{type(error).__name__}: {error}"
                problem = Unavailable(
                    f"{subject}: the cluster's API at {self._endpoint} did not answer ({why}); "
                    "check the cluster's health and the function's way to it"
                )
            else:
                if code == UNAUTHORIZED and not fresh:
                    fresh = True
                    continue
                if code == UNAUTHORIZED:
                    raise refusal(subject, code, read_status(data))
                if code != BUSY and code < 500:
                    return ApiResponse(code, data)
                words = read_status(data).message or "no reason given"
                kind = Throttled if code == BUSY else Unavailable
                problem = kind(f"{subject}: the cluster's API answered {code} ({words}); try again later")
            pause = _pause(attempt, wait)
            if attempt + 1 < ATTEMPTS and pause < self._left() - TO_END - LEAST:
                self._sleep(pause)
            else:
                break
        assert problem
        raise problem

    def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        content_type: str,
        timeout: tuple[float, float],
        *,
        fresh: bool,
    ) -> tuple[int, bytes, float]:
        """Status, body and the pause that the API asked for, in seconds."""
        headers = {
            "Authorization": f"Bearer {self._tokens(fresh=fresh)}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        if content_type:
            headers["Content-Type"] = content_type
        # The client takes patches for JSON as values and everything else as text.
        sent = msgspec.json.encode(body) if body is not None and content_type == APPLY else body
        # Any: the client's response has no types.
        response: Any = self._client.call_api(method, url, headers, sent, _request_timeout=timeout)
        data = response.read()
        return response.status, data, _seconds(response.getheader("Retry-After"))


def _within(left: float) -> tuple[float, float] | None:
    """How long to connect and to read, in so many seconds at most; None when there is no time for either."""
    if left < LEAST:
        return None
    connect = min(TIMEOUT[0], left / 2)
    return connect, min(TIMEOUT[1], left - connect)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 0.0


def _pause(attempt: int, asked: float) -> float:
    """How long to wait before the next try: what the API asked for, or twice as long each time."""
    return min(LONGEST_PAUSE, max(asked, FIRST_PAUSE * 2.0**attempt * random.uniform(0.5, 1.0)))
