"""What messages need of the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from candlefish.messages.model import ChatMessage
from candlefish.messages.record import Shown
from candlefish.ports import Now
from candlefish.release.ports import JournalStore
from candlefish.signals.ports import Channel
from candlefish.views.model import ReleaseView


class Chat(Protocol):
    """Where people talk. Channels are by the names that the catalog has for them.

    Everything raises AskedToWait or Unavailable when it is to be tried later, Misconfigured when it will not work like
    this; the message says what to mend, and never what is secret.
    """

    def edits(self) -> bool:
        """Whether messages can be edited at all: not by webhooks."""

    def post(self, channel: str, message: ChatMessage, *, below: str = "", aloud: bool = False) -> str:
        """Post a message, or one in the thread of another (`below`, its id); the id of the new one."""

    def edit(self, channel: str, id: str, message: ChatMessage) -> bool:
        """Let a message say something else; False where it is gone, or may not be edited any more."""

    def share(self, channel: str, below: str, picture: bytes, says: str) -> str:
        """Share a picture (PNG) in a thread; the file's id."""


class ShownMessages(Protocol):
    """What stands in the chat about each release and train."""

    def read(self, subject: str) -> Shown:
        """What stands; nothing stood before."""

    def write(self, shown: Shown) -> Shown:
        """Store it over the revision that it was read with; as it is stored.

        Raises
        ------
        RecordContested
            Somebody else wrote since.
        """


class ChannelPace(Protocol):
    """How fast a channel takes messages."""

    def take(self, channel: str, now: float) -> float:
        """Whether it may be now: 0, and then it was; otherwise after how many seconds to ask again."""

    def hold(self, channel: str, until: float) -> None:
        """Nothing before then, epoch seconds."""


class MessagePorts(msgspec.Struct, frozen=True):
    """Everything that a release is shown with. `channel_of` names the channel of a service's owner; empty for none."""

    see: Callable[[str], ReleaseView]
    chat: Chat
    shown: ShownMessages
    pace: ChannelPace
    mail: Channel
    # For what is said of a release and is no news.
    timeline: JournalStore
    channel_of: Callable[[str], str]
    link_of: Callable[[str], str]
    now: Now
