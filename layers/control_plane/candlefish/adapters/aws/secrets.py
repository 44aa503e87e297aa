"""Secrets of the control plane's own: the endpoint's tokens, Slack's webhook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from candlefish.adapters.aws.refusals import aws_call
from candlefish.bounds import NO_JSON
from candlefish.errors import InvalidInput, Misconfigured
from candlefish.signals.model import BearerToken

# No more tokens than this are valid at a time.
MOST_TOKENS = 2


class _Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    tokens: list[BearerToken] = []
    # What CloudFormation generates at first: it can only put one string beside others.
    token: str = ""


class SecretTokens:
    """`signals.ports.WebhookTokens` in a secret like `{"tokens": [{"token": "...", "expires": 0}]}`."""

    def __init__(self, client: Any, secret: str, now: Callable[[], float]) -> None:
        self._client = client
        self._secret = secret
        self._now = now
        self._copy: tuple[BearerToken, ...] = ()
        self._read_at = float("-inf")

    def read(self, max_age: float) -> Sequence[BearerToken]:
        now = self._now()
        if now - self._read_at > max_age:
            self._copy = self._fetch()
            self._read_at = now
        return self._copy

    def _fetch(self) -> tuple[BearerToken, ...]:
        text = read_secret(self._client, self._secret)
        try:
            stored = msgspec.json.decode(text, type=_Stored)
        except NO_JSON:
            # The decoder's message would quote the secret.
            raise Misconfigured(
                f'secret {self._secret} must be like {{"tokens": [{{"token": "..."}}]}}; '
                "write it with: candlefish signals -e ENV rotate-token"
            ) from None
        tokens = stored.tokens or [BearerToken(stored.token)]
        if len(tokens) > MOST_TOKENS or not all(token.token for token in tokens):
            raise Misconfigured(f"secret {self._secret} must hold one or two tokens, none of them empty")
        return tuple(tokens)

    def store(self, tokens: Sequence[BearerToken]) -> None:
        """Put tokens in place of those that are stored."""
        with aws_call(f"writing secret {self._secret}"):
            self._client.put_secret_value(
                SecretId=self._secret, SecretString=msgspec.json.encode(_Stored(list(tokens))).decode()
            )
        self._read_at = float("-inf")


def read_secret(client: Any, secret: str) -> str:
    """A secret's text; the one reader of secrets. Empty when it holds bytes."""
    with aws_call(f"reading secret {secret}"):
        return str(client.get_secret_value(SecretId=secret).get("SecretString", ""))


class RememberedSecret:
    """A secret's text that is read again after `seconds`, so that a rotated one counts soon."""

    def __init__(self, client: Any, secret: str, now: Callable[[], float], seconds: float = 60.0) -> None:
        self._client, self._secret, self._now, self._seconds = client, secret, now, seconds
        self._text, self._read_at = "", float("-inf")

    def read(self) -> str:
        at = self._now()
        if at - self._read_at > self._seconds:
            self._text, self._read_at = read_secret(self._client, self._secret), at
        return self._text


def read_json_secret(client: Any, secret: str, fields: str) -> dict[str, Any]:
    """A secret that is a JSON object, with what people expect in it (`fields`, for the message).

    Raises
    ------
    InvalidInput
        It is no JSON object.
    """
    try:
        found: dict[str, Any] = msgspec.json.decode(read_secret(client, secret), type=dict[str, Any])
    except NO_JSON:
        # The decoder's message would quote the secret.
        raise InvalidInput(f"secret {secret} is not JSON with {fields}") from None
    return found
