"""How often what runs is looked at: as often as was asked for, and less often while the lab rests."""

from __future__ import annotations

import asyncio


class Checks:
    """The pauses between checks, and how many were made."""

    def __init__(self) -> None:
        self.made = 0
        self._factor = 1.0
        self._awake = asyncio.Event()

    def stretch(self, factor: float) -> None:
        """Multiply every pause by this; who waits longer than that by now looks at once."""
        if factor < self._factor:
            self._awake.set()
            self._awake = asyncio.Event()
        self._factor = factor

    async def pause(self, seconds: float) -> None:
        """Wait until the next check is due."""
        if self._factor == 1.0:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds * self._factor):
                await self._awake.wait()
        except TimeoutError:
            pass
