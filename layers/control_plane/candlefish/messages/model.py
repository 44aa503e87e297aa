"""A message as values, whatever chat shows it. Text is text; whoever draws it makes nothing of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.views.model import Tone

# The name of the channel of all that no owner reads.
EVERYBODY = "default"


class Moment(msgspec.Struct, frozen=True):
    """Words of ours, and the moment that they lead to (epoch seconds), which each reader sees in the own zone."""

    words: str
    at: float


class Choice(msgspec.Struct, frozen=True):
    """A button: what it answers, what it is called, and what happens then."""

    answer: Literal["approve", "deny"]
    label: str
    does: str


class Choices(msgspec.Struct, frozen=True):
    """The buttons of a release's open question, by its id."""

    release: str
    question: str
    choices: tuple[Choice, ...]


class ChatMessage(msgspec.Struct, frozen=True):
    """What one message shows, in the order in which it is read. `picture` is the id of a file at the chat.

    `as_of` is when it stood so, epoch seconds, 0 where that says nothing: a message stands for hours. It alone is no
    reason to edit one.
    """

    says: str
    tone: Tone = "info"
    lines: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()
    as_of: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    choices: Choices | None = None
    command: str = ""
    link: str = ""
    picture: str = ""
    picture_says: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """A message that shall stand in a channel, by the name that the record has for it.

    `below` is the name of the one whose thread it stands in; `aloud` shows one of a thread in the channel as well.
    `covers` are the marks of what need not be said again once it stands.
    """

    name: str
    channel: str
    message: ChatMessage
    below: str = ""
    aloud: bool = False
    covers: tuple[str, ...] = ()


class WantedPicture(msgspec.Struct, frozen=True):
    """A picture that shall be shared in the thread of `below`. `says` is the same in words."""

    name: str
    channel: str
    below: str
    says: str


class Wish(msgspec.Struct, frozen=True):
    """What shall stand about a release, most urgent first, and the pictures after it.

    `untold` says why a rollback or question stands in no channel at all; empty where it stands in one.
    """

    messages: tuple[Wanted, ...] = ()
    pictures: tuple[WantedPicture, ...] = ()
    untold: str = ""


class ShowResult(msgspec.Struct, frozen=True):
    """What was done for a release; `again` after how many seconds there is more to do, 0: nothing is left."""

    done: tuple[str, ...] = ()
    again: float = 0.0

    @property
    def outcome(self) -> tuple[str, float]:
        return "; ".join(self.done) or "nothing to do", self.again
