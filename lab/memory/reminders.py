"""What people were told of, in memory."""

from __future__ import annotations

from candlefish.ports import TOLD_AGAIN_AFTER


class MemoryReminders:
    """`ports.Reminders`."""

    def __init__(self) -> None:
        # When people were last told, epoch seconds, by what of.
        self.told: dict[str, float] = {}

    def due(self, about: str, now: float) -> bool:
        if about in self.told and self.told[about] > now - TOLD_AGAIN_AFTER:
            return False
        self.told[about] = now
        return True
