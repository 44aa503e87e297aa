"""Messages to Slack that stand by themselves: by a bot's token where the secret has one, else by incoming webhooks.

A webhook's URL is as secret as a token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import urllib3

from candlefish.adapters.http.slack_api import SECURE, asked_to_wait
from candlefish.adapters.http.slack_blocks import escaped, notification_body, without_buttons
from candlefish.adapters.http.slack_chat import SlackChat
from candlefish.adapters.http.slack_secret import SlackSecret
from candlefish.errors import Misconfigured, Unavailable
from candlefish.release.press_button import RESPONSES, ButtonReply
from candlefish.signals.notification import Notification


class SlackChannel:
    """`signals.ports.Channel`: one channel, by its name in the secret."""

    def __init__(
        self, secret: Callable[[], SlackSecret], name: str, chat: SlackChat, *, timeout: float = 5.0
    ) -> None:
        self._secret, self._name, self._chat = secret, name, chat
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout)

    def send(self, message: Notification) -> None:
        known = self._secret()
        if known.token and known.channels:
            self._chat.send(self._name, message)
        else:
            self._hook(known.webhook(self._name), message)

    def _hook(self, url: str, message: Notification) -> None:
        if not url.startswith(SECURE):
            raise Misconfigured("the Slack secret holds no https:// URL; put the webhook's in it")
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=msgspec.json.encode(notification_body(message)),
                headers={"content-type": "application/json"},
            )
        except urllib3.exceptions.HTTPError as error:
            # The error's text names the host and may name the path, which is the secret.
            raise Unavailable(
                f"Slack did not answer ({type(error).__name__}); it will be tried again"
            ) from None
        if answer.status == 429:
            raise asked_to_wait("another message", answer.headers)
        if answer.status >= 500:
            raise Unavailable(f"Slack answered {answer.status}; it will be tried again")
        if answer.status >= 300:
            said = answer.data[:100].decode(errors="replace")
            raise Misconfigured(
                f"Slack refused the message with {answer.status} {said}; make a new webhook and store its URL"
            )


def reply(told: ButtonReply, *, warn: Callable[[str], None]) -> None:
    """Tell the person who clicked, where Slack says. Nothing but Slack is told; who is not told is warned of."""
    if not told.response_url.startswith(RESPONSES):
        return
    try:
        urllib3.request(
            "POST", told.response_url, json=reply_body(told), timeout=2.0, retries=False, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        warn(f"Slack was not told: {type(error).__name__}")


def reply_body(told: ButtonReply) -> dict[str, Any]:
    """What to say to a click: to everybody in the place of the buttons, where the question is closed."""
    if told.closes and told.original:
        body = {name: told.original[name] for name in ("blocks", "attachments") if told.original.get(name)}
        body["attachments"] = [
            {name: each[name] for name in ("color", "fallback", "blocks") if name in each}
            for each in body.get("attachments", [])
            if isinstance(each, dict)
        ]
        return {
            **without_buttons({"blocks": [], **body}, told.text),
            "text": escaped(told.text),
            "mrkdwn": False,
            "replace_original": True,
            "response_type": "in_channel",
        }
    return {
        "text": escaped(told.text),
        "mrkdwn": False,
        "replace_original": False,
        "response_type": "in_channel" if told.decided else "ephemeral",
    }
