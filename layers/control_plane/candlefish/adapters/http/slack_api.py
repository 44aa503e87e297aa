"""Slack's Web API, as far as messages and pictures go. https://docs.slack.dev/apis/web-api

A token is never logged and in no error's text. Slack answers 200 and says in the body what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import urllib3

from candlefish.adapters.http.headers import pause_of
from candlefish.bounds import NO_JSON
from candlefish.errors import AskedToWait, Misconfigured, Unavailable

API = "https://slack.com/api"
# What a secret, or what is said, may be sent to: what leaves the machine is encrypted.
SECURE = ("https://", "http://127.0.0.1:")
# What Slack says of itself, and passes.
PASSING = frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "update_failed",
        "team_added_to_org",
    }
)
# The least patience, in seconds, and what Slack has where it does not say how much: no wait at all would be no more to do.
WAIT = 1.0
# What to do about what Slack says; what is not in it is named as it is.
NEXT = {
    "invalid_auth": "store the token of the app's page (OAuth & Permissions) in the secret",
    "not_authed": "the secret's token is empty; store the app's",
    "token_revoked": "the app was uninstalled; install it again and store its token",
    "token_expired": "the token has ended; store a new one",
    "account_inactive": "the app's user was deleted; install it again and store its token",
    "missing_scope": "the app needs chat:write, and files:write and files:read for pictures; add them and install it again",
    "channel_not_found": "put the channel's id (C...) into the secret, and invite the app if the channel is private",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "the channel is archived; put another's id into the secret",
    "restricted_action": "a preference of the workspace keeps apps from posting there",
    "file_uploads_disabled": "the workspace takes no files; messages stand without pictures",
}


class SlackRefused(Misconfigured):
    """Slack said no, for good: `code` is its word for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SlackApi:
    """Calls methods with a bot's token."""

    def __init__(self, address: str = API, *, timeout: float = 5.0) -> None:
        if not address.startswith(SECURE):
            raise Misconfigured(f"Slack's API is {address!r}, which is no https address")
        self._address = address.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2.0, read=timeout))

    def call(self, method: str, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Call a method with a JSON body.

        Raises
        ------
        AskedToWait
            Slack asks for less (429, Retry-After).
        Unavailable
            It does not answer, or says that it is not well.
        SlackRefused
            It said no; the message says what to mend.
        """
        data, kind = msgspec.json.encode(body), "application/json; charset=utf-8"
        return self._call(method, token, {"body": data}, {"content-type": kind})

    def call_form(self, method: str, token: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """Call a method that takes no JSON; raises as `call`."""
        return self._call(method, token, {"fields": dict(fields), "encode_multipart": False}, {})

    def put(self, address: str, data: bytes, kind: str) -> None:
        """Send a file's bytes where Slack said; raises as `call`."""
        if not address.startswith(SECURE):
            raise Unavailable("Slack named no https address to send a picture to; it will be tried again")
        status, _, _ = self._ask("sending a picture", address, {"body": data}, {"content-type": kind})
        if status >= 300:
            raise Unavailable(f"Slack answered {status} to a picture; it will be tried again")

    def _call(
        self, method: str, token: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        sent = {**headers, "authorization": f"Bearer {token}"}
        status, data, answered = self._ask(method, f"{self._address}/{method}", body, sent)
        if status == 429:
            raise asked_to_wait(method, answered)
        if status >= 500:
            raise Unavailable(f"Slack answered {status} to {method}; it will be tried again")
        try:
            said: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        except NO_JSON:
            raise Unavailable(
                f"Slack answered {status} to {method} and no JSON; it will be tried again"
            ) from None
        if said.get("ok") is True:
            return said
        raise _refusal(method, str(said.get("error", status)), said, answered)

    def _ask(
        self, what: str, address: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        try:
            answer = self._pool.request("POST", address, headers=dict(headers), redirect=False, **body)
        except urllib3.exceptions.HTTPError as error:
            # The error's text names the address, which may be secret.
            raise Unavailable(
                f"Slack did not answer {what} ({type(error).__name__}); it will be tried again"
            ) from None
        return answer.status, answer.data, answer.headers


def _refusal(method: str, code: str, said: Mapping[str, Any], headers: Mapping[str, str]) -> Exception:
    if code in ("ratelimited", "rate_limited"):
        return asked_to_wait(method, headers)
    if code in PASSING:
        return Unavailable(f"Slack answered {code} to {method}; it will be tried again")
    more = said.get("response_metadata")
    messages = more.get("messages") if isinstance(more, dict) else None
    detail = f" ({str(messages[0])[:200]})" if isinstance(messages, list) and messages else ""
    advice = NEXT.get(code, f"see {code} at https://docs.slack.dev/reference/methods/{method}")
    return SlackRefused(f"Slack refused {method}: {code}{detail}; {advice}", code)


def asked_to_wait(what: str, headers: Mapping[str, str]) -> AskedToWait:
    """The error of a 429."""
    seconds = max(WAIT, pause_of(headers.get("retry-after", ""), time.time(), otherwise=WAIT))
    return AskedToWait(f"Slack asks for {seconds:.0f} s before {what}; it will be tried again", seconds)
