"""Composition root of signing in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.core import declared, issuer, signed_tokens
from candlefish.errors import Misconfigured

if TYPE_CHECKING:
    from candlefish.adapters.http.oidc_tokens import OidcIssuer
    from candlefish.catalog.model import Console


def declared_console() -> Console | None:
    """Who signs people in to this environment."""
    return declared().console


def _issuer() -> OidcIssuer:
    if (found := issuer()) is None:
        raise Misconfigured("the catalog has no console in this environment")
    return found


def endpoints() -> tuple[str, str]:
    """Where the issuer signs people in and out."""
    found = _issuer().discovery()
    return found.authorization_endpoint, found.end_session_endpoint


def exchange(form: Mapping[str, str]) -> dict[str, Any]:
    return _issuer().exchange(dict(form))


def read_token(token: str) -> dict[str, Any]:
    """What a token says that holds."""
    return signed_tokens()(token)


def secret() -> str:
    """The client's secret, empty where it has none; read at each sign-in, so that a rotated one counts at once."""
    from candlefish.adapters.aws.secrets import read_secret

    found = declared().console
    return read_secret(client("secretsmanager"), found.secret).strip() if found and found.secret else ""
