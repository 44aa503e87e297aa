"""What messages need of the world, in memory."""

from __future__ import annotations

from msgspec.structs import replace

from candlefish.adapters.table.shown import EVERY
from candlefish.errors import RecordContested
from candlefish.messages.record import Shown
from lab.memory.store import Store, kept


class MemoryShownMessages(Store):
    """`messages.ports.ShownMessages`."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, Shown] = {}

    def read(self, subject: str) -> Shown:
        return kept(self.stored.get(subject, Shown(subject)))

    def write(self, shown: Shown) -> Shown:
        self.between()
        seen = self.stored.get(shown.subject)
        if (seen.revision if seen else 0) != shown.revision:
            raise RecordContested(f"what is shown of {shown.subject} was written by somebody else meanwhile")
        after = replace(shown, revision=shown.revision + 1)
        self.stored[shown.subject] = kept(after)
        return after


class MemoryChannelPace:
    """`messages.ports.ChannelPace`."""

    def __init__(self) -> None:
        self.next: dict[str, float] = {}

    def take(self, channel: str, now: float) -> float:
        then = self.next.get(channel, 0.0)
        if then > now:
            return max(then - now, 0.1)
        self.next[channel] = now + EVERY
        return 0.0

    def hold(self, channel: str, until: float) -> None:
        self.next[channel] = max(until, self.next.get(channel, 0.0))
