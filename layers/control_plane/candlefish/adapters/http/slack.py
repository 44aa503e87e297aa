"""Messages to Slack by an incoming webhook, whose URL is a secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3

from candlefish.bounds import NO_JSON, fit, fit_line
from candlefish.errors import Misconfigured, Throttled, Unavailable
from candlefish.release.press_button import RESPONSES, ButtonReply
from candlefish.signals.notification import Notification

COLOURS = {"good": "#2e7d32", "info": "#607d8b", "warning": "#f9a825", "bad": "#c62828"}
# https://docs.slack.dev/reference/block-kit/blocks: a section takes 3,000 characters, 10 fields of 2,000.
LONGEST_TEXT = 2900
LONGEST_FACT = 600
LONGEST_LINK = 2000
# What the secret calls the channel of all that no owner reads.
EVERYBODY = "default"
# What an address may have beside letters and digits.
ADDRESS = "%:/?#[]@!$&'()*+,;=-._~"


class SlackChannel:
    """`signals.ports.Channel`. `url` reads the webhook's URL, which is never logged."""

    def __init__(self, url: Callable[[], str], *, timeout: float = 5.0) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout)

    def send(self, message: Notification) -> None:
        url = self._url()
        if not url.startswith(("https://", "http://127.0.0.1:")):
            raise Misconfigured("the Slack secret holds no https:// URL; put the webhook's in it")
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=msgspec.json.encode(payload(message)),
                headers={"content-type": "application/json"},
            )
        except urllib3.exceptions.HTTPError as error:
            # The error's text names the host and may name the path, which is the secret.
            raise Unavailable(
                f"Slack did not answer ({type(error).__name__}); it will be tried again"
            ) from None
        if answer.status == 429:
            raise Throttled("Slack asked us to slow down; it will be tried again")
        if answer.status >= 500:
            raise Unavailable(f"Slack answered {answer.status}; it will be tried again")
        if answer.status >= 300:
            said = answer.data[:100].decode(errors="replace")
            raise Misconfigured(
                f"Slack refused the message with {answer.status} {said}; make a new webhook and store its URL"
            )


def webhook_in(secret: str, name: str = EVERYBODY) -> str:
    """The webhook of a channel in the text of Slack's secret: {"default": "https://...", "payments": "https://..."}.

    A text that is no JSON is everybody's webhook itself.

    Raises
    ------
    Misconfigured
        It has none of that name.
    """
    try:
        known = msgspec.json.decode(secret, type=dict[str, str])
    except NO_JSON:
        known = {} if secret.lstrip().startswith("{") else {EVERYBODY: secret.strip()}
    if not known.get(name):
        # The decoder's message would quote the secret.
        raise Misconfigured(
            f"the Slack secret has no webhook called {name}; "
            'put one into it, like {"default": "https://...", "payments": "https://..."}'
        )
    return known[name]


def payload(message: Notification) -> dict[str, Any]:
    """The message as an incoming webhook takes it (Block Kit)."""
    blocks = [_text(f"{message.title}\n{message.text}".strip())]
    if message.facts:
        blocks.append(
            _text("\n".join(f"{label}: {fit_line(value, LONGEST_FACT)}" for label, value in message.facts))
        )
    if message.command:
        blocks.append(_text(message.command))
    if message.link:
        blocks.append(_link(message.link))
    if message.question:
        blocks.append(_buttons(*message.question))
    return {
        "text": _escaped(message.title),
        "mrkdwn": False,
        "attachments": [{"color": COLOURS[message.tone], "blocks": blocks}],
    }


def _buttons(release: str, question: str) -> dict[str, Any]:
    """Yes and no to a question (`release.button`); of use where the webhook's app has interactivity."""
    value = msgspec.json.encode({"release": release, "question": question}).decode()
    choices = (("candlefish-approve", "Approve", "primary"), ("candlefish-deny", "Deny", "danger"))
    return {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": action,
                "style": style,
                "text": {"type": "plain_text", "text": label},
                "value": value,
            }
            for action, label, style in choices
        ],
    }


def _text(text: str) -> dict[str, Any]:
    """A block of text that is nothing but text: no style, no link, no mention, whatever stands in it."""
    return {
        "type": "section",
        "text": {"type": "plain_text", "text": fit(text, LONGEST_TEXT) or " ", "emoji": False},
    }


def _link(address: str) -> dict[str, Any]:
    """The one block with markup, which is ours: a link goes where the browser says, and ends where it ends."""
    safe = quote(fit_line(address, LONGEST_LINK), safe=ADDRESS)
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"<{safe}|Look>", "verbatim": True}}


def _escaped(text: str) -> str:
    """Text that cannot mention a channel or pretend to be a link."""
    return fit(text, LONGEST_TEXT).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def reply(told: ButtonReply, *, warn: Callable[[str], None]) -> None:
    """Tell the person who clicked, where Slack says. Nothing but Slack is told; who is not told is warned of."""
    if not told.response_url.startswith(RESPONSES):
        return
    body = {
        "text": _escaped(told.text),
        "mrkdwn": False,
        "replace_original": False,
        "response_type": "in_channel" if told.decided else "ephemeral",
    }
    try:
        urllib3.request("POST", told.response_url, json=body, timeout=2.0, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        warn(f"Slack was not told: {type(error).__name__}")
