"""Composition root of the gates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import aws_call, client
from candlefish.bootstrap.release import settings

if TYPE_CHECKING:
    from candlefish.adapters.http.registry import OciRegistry


@cache
def registry() -> OciRegistry:
    from candlefish.adapters.http.registry import OciRegistry

    return OciRegistry(credentials, settings().values.get("REGISTRY_ENDPOINT", ""))


def credentials() -> str:
    """What may pull the images, as "user:password"; empty where they are public. Read when a registry asks."""
    secret = settings().values.get("REGISTRY_SECRET", "")
    if not secret:
        return ""
    with aws_call(f"reading the registry's credentials in {secret}"):
        return str(client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
