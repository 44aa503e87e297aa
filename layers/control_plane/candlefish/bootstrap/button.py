"""Composition root of approvals by Slack's button."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import aws_call, client
from candlefish.bootstrap import release as wire
from candlefish.release.button import RESPONSES, Told

if TYPE_CHECKING:
    from candlefish.adapters.table.nonces import DynamoNonces


@cache
def nonces() -> DynamoNonces:
    from candlefish.adapters.table.nonces import DynamoNonces

    return DynamoNonces(client("dynamodb"), wire.settings()["TABLE_NAME"])


def signing_secret() -> str:
    """Slack's signing secret; read at each click, so that a rotated one counts at once."""
    name = wire.settings().values.get("SIGNING_SECRET", "")
    if not name:
        return ""
    with aws_call("reading Slack's signing secret"):
        return str(client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def say(told: Told) -> None:
    """Tell the person who clicked, where Slack says; it is a courtesy and never fails a decision."""
    import urllib3

    from candlefish.handler import logger

    if not told.response_url.startswith(RESPONSES):
        return
    try:
        body: dict[str, object] = {"text": told.text, "replace_original": False}
        body["response_type"] = "in_channel" if told.decided else "ephemeral"
        urllib3.request("POST", told.response_url, json=body, timeout=2.0, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        logger.warning("Slack was not told: %s", type(error).__name__)
