"""What Slack's secret holds: webhooks by the names of channels, or a bot's token and its channels, or both."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bounds import NO_JSON
from candlefish.errors import Misconfigured
from candlefish.messages.model import EVERYBODY


class SlackSecret(msgspec.Struct, frozen=True):
    """`token` is a bot's (`xoxb-...`), empty where there are only webhooks; `channels` are ids by name."""

    token: str = ""
    channels: dict[str, str] = {}
    webhooks: dict[str, str] = {}

    def channel(self, name: str) -> str:
        """The id of a channel.

        Raises
        ------
        Misconfigured
            It has none of that name.
        """
        if not self.channels.get(name):
            raise Misconfigured(
                f"the Slack secret has no channel called {name}; put its id into channels, "
                'like {"token": "xoxb-...", "channels": {"default": "C0123456789", "payments": "C9876543210"}}'
            )
        return self.channels[name]

    def webhook(self, name: str) -> str:
        """The webhook of a channel.

        Raises
        ------
        Misconfigured
            It has none of that name.
        """
        if not self.webhooks.get(name):
            raise Misconfigured(
                f"the Slack secret has no webhook called {name}; "
                'put one into it, like {"default": "https://...", "payments": "https://..."}'
            )
        return self.webhooks[name]


def slack_secret(text: str) -> SlackSecret:
    """Read the secret: {"token": ..., "channels": {name: id}}, {name: webhook}, both in one, or one webhook as it is."""
    try:
        known = msgspec.json.decode(text, type=dict[str, Any])
    except NO_JSON:
        # Half a JSON is no webhook; the decoder's message would quote it.
        return (
            SlackSecret()
            if text.lstrip().startswith("{")
            else SlackSecret(webhooks={EVERYBODY: text.strip()})
        )
    token, channels = known.pop("token", ""), known.pop("channels", {})
    return SlackSecret(
        token if isinstance(token, str) else "",
        _texts(channels) if isinstance(channels, dict) else {},
        _texts(known),
    )


def _texts(found: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in found.items() if isinstance(value, str)}
