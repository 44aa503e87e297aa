"""Who we are to Prometheus: a bearer token, or a user's name and password, from a secret.

{"token": "..."}      or      {"username": "...", "password": "..."}      or the token alone
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec

from candlefish.adapters.http.prometheus_api import Authorize
from candlefish.bounds import NO_JSON
from candlefish.errors import ControlPlaneError, Unavailable


class _Stored(msgspec.Struct, frozen=True):
    token: str = ""
    username: str = ""
    password: str = ""


def authorizer(read: Callable[[], str], name: str) -> Authorize:
    """Gives the header `Authorization`; reads the secret once, and again when Prometheus refused what was in it.

    Parameters
    ----------
    read
        Reads the secret's text.
    name
        What the secret is called, for messages. What is in it is in none.

    Raises
    ------
    Unavailable
        (When called.) The secret cannot be read, or is none of the three: nothing is known of the canary then.
    """
    kept: list[str] = []

    def authorize(fresh: bool) -> str:
        if fresh or not kept:
            try:
                kept[:] = [_header(read().strip(), name)]
            except Unavailable:
                raise
            except ControlPlaneError as error:
                raise Unavailable(f"{error}; the judge reads Prometheus with it") from error
        return kept[0]

    return authorize


def _header(text: str, name: str) -> str:
    stored = _Stored(token=text)
    if text.startswith("{"):
        try:
            stored = msgspec.json.decode(text, type=_Stored)
        except NO_JSON:
            # The decoder's message would quote the secret.
            stored = _Stored()
    if stored.username:
        pair = f"{stored.username}:{stored.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    if stored.token and stored.token.isprintable() and " " not in stored.token:
        return f"Bearer {stored.token}"
    raise Unavailable(
        f'secret {name} is no login at Prometheus; write {{"token": "..."}} or {{"username": "...", "password": "..."}} '
        "into it (docs/judge.md)"
    )
