"""Messages as Slack's Block Kit takes them. https://docs.slack.dev/reference/block-kit/blocks

Whatever came from elsewhere stands in blocks of plain text, which has no style, no link and no mention. The markup that there
is, is ours: a link, and moments, which Slack shows in the zone of whoever reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from candlefish.bounds import ELLIPSIS, LAST_MOMENT, fit, fit_line
from candlefish.messages.model import ChatMessage, Choices, Moment
from candlefish.signals.notification import Notification

COLOURS = {"good": "#2e7d32", "info": "#607d8b", "warning": "#f9a825", "bad": "#c62828", "unknown": "#9e9e9e"}
# A section takes 3,000 characters, a confirmation 300, an alternative text 2,000; a message takes 50 blocks.
LONGEST_TEXT = 2900
LONGEST_CONFIRMATION = 300
LONGEST_ALTERNATIVE = 1900
LONGEST_LINE = 1000
LONGEST_FACT = 600
MOST_PARAGRAPHS = 8
LONGEST_LINK = 2000
MOST_MOMENTS = 10
# What an address may have beside letters and digits.
ADDRESS = "%:/?#[]@!$&'()*+,;=-._~"
ACTIONS = {"approve": "candlefish-approve", "deny": "candlefish-deny"}

Block = dict[str, Any]


def message_body(message: ChatMessage) -> dict[str, Any]:
    """A release's message, for chat.postMessage and chat.update."""
    below = [*(_text(each) for each in _paragraphs(message.lines))]
    below += [_facts(message.facts)] if message.facts else []
    moments = (*message.moments, *([Moment("as of", message.as_of)] if message.as_of else []))
    below += [_moments(moments)] if moments else []
    below += [_buttons(message.choices)] if message.choices else []
    below += [_picture(message.picture, message.picture_says)] if message.picture else []
    below += _ending(message.command, message.link)
    return _body(message.says, message.tone, below)


def notification_body(message: Notification) -> dict[str, Any]:
    """Any other message."""
    below = [_text(message.text)] if message.text else []
    below += [_facts(message.facts)] if message.facts else []
    if message.question:
        below.append(_plain_buttons(*message.question))
    return _body(message.title, message.tone, below + _ending(message.command, message.link))


def without_picture(body: dict[str, Any]) -> dict[str, Any]:
    """The same without its picture, for where Slack does not take it."""
    return _without(body, "image")


def without_buttons(body: dict[str, Any], words: str) -> dict[str, Any]:
    """The same with words in the place of its buttons."""
    left = _without(body, "actions")
    attachments = left["attachments"] or [{"blocks": []}]
    last = attachments[-1]
    return {
        **left,
        "attachments": [*attachments[:-1], {**last, "blocks": [*last.get("blocks", []), _text(words)]}],
    }


def _without(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        **body,
        "attachments": [
            {**each, "blocks": [block for block in each.get("blocks", []) if block.get("type") != kind]}
            for each in body.get("attachments", [])
        ],
    }


def escaped(text: str) -> str:
    """Text that cannot mention a channel or pretend to be a link, for the line that notifications show."""
    return fit(text, LONGEST_TEXT).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _body(first: str, tone: str, below: Sequence[Block]) -> dict[str, Any]:
    """The first line on its own; below it, beside a bar of the tone's colour, the rest. An attachment always stands
    in an edit, too: Slack keeps the old one where it is left out.
    """
    return {
        "text": escaped(first),
        "mrkdwn": False,
        "blocks": [_text(first)],
        "attachments": [{"color": COLOURS[tone], "fallback": escaped(first), "blocks": list(below)}],
    }


def _paragraphs(lines: Iterable[str]) -> list[str]:
    """Lines in as few blocks as take them: a line ends where it ends, and none can pretend to be another."""
    found: list[str] = []
    for line in (fit_line(each, LONGEST_LINE) for each in lines):
        if found and len(found[-1]) + len(line) < LONGEST_TEXT:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found if len(found) <= MOST_PARAGRAPHS else [*found[:MOST_PARAGRAPHS], ELLIPSIS]


def _facts(facts: Iterable[tuple[str, str]]) -> Block:
    return _text("\n".join(f"{label}: {fit_line(value, LONGEST_FACT)}" for label, value in facts))


def _text(text: str) -> Block:
    """A block of text that is nothing but text, whatever stands in it."""
    return {"type": "section", "text": _plain(text, LONGEST_TEXT)}


def _plain(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": fit(text, longest) or " ", "emoji": False}


def _moments(moments: Sequence[Moment]) -> Block:
    """Moments in the zone of whoever reads. https://docs.slack.dev/messaging/formatting-message-text#date-formatting"""
    known = [each for each in moments if 0 < each.at < LAST_MOMENT][:MOST_MOMENTS]
    elements = [
        {"type": "mrkdwn", "text": f"{escaped(each.words)} {_moment(each.at)}", "verbatim": True}
        for each in known
    ]
    return {"type": "context", "elements": elements or [_plain(" ", 1)]}


def _moment(at: float) -> str:
    fallback = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M UTC}"
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{fallback}>"


def _picture(file: str, says: str) -> Block:
    return {
        "type": "image",
        "slack_file": {"id": file},
        "alt_text": fit_line(says, LONGEST_ALTERNATIVE) or " ",
    }


def _ending(command: str, link: str) -> list[Block]:
    return ([_text(f"Next: {fit_line(command, LONGEST_FACT)}")] if command else []) + (
        [_link(link)] if link else []
    )


def _link(address: str) -> Block:
    """A link goes where the browser says, and ends where it ends."""
    safe = quote(fit_line(address, LONGEST_LINK), safe=ADDRESS)
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"<{safe}|Look>", "verbatim": True}}


def _buttons(asked: Choices) -> Block:
    """Buttons that say before they are pressed what happens then."""
    value = _value(asked.release, asked.question)
    return {
        "type": "actions",
        "elements": [
            _button(each.answer, each.label, value)
            | {
                "confirm": {
                    "title": _plain(f"{each.label}?", 100),
                    "text": _plain(fit_line(each.does, LONGEST_CONFIRMATION), LONGEST_CONFIRMATION),
                    "confirm": _plain(each.label, 30),
                    "deny": _plain("Back", 30),
                    "style": "primary" if each.answer == "approve" else "danger",
                }
            }
            for each in asked.choices
        ],
    }


def _plain_buttons(release: str, question: str) -> Block:
    value = _value(release, question)
    return {
        "type": "actions",
        "elements": [_button("approve", "Approve", value), _button("deny", "Deny", value)],
    }


def _value(release: str, question: str) -> str:
    """What a button carries: which question it was made for (`release.press_button`)."""
    return msgspec.json.encode({"release": release, "question": question}).decode()


def _button(answer: str, label: str, value: str) -> Block:
    return {
        "type": "button",
        "action_id": ACTIONS[answer],
        "style": "primary" if answer == "approve" else "danger",
        "text": {"type": "plain_text", "text": label},
        "value": value,
    }
