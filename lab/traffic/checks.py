"""Health checks: each a request of its own; as often as was asked for, and less often while the lab rests."""

from __future__ import annotations

import asyncio
import contextlib

from lab.traffic import http
from lab.traffic.lateness import Lateness

# A check that ran into its limit while the machine held it up for so much of it is made again.
_EXCUSED = 0.5
TIMED_OUT = "Target.Timeout"


class Checks:
    """The checks, the pauses between them, and how many were made."""

    def __init__(self, lateness: Lateness) -> None:
        self.made = 0
        self._lateness = lateness
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

    async def ask(self, host: str, port: int, request: str, seconds: float) -> tuple[int, str]:
        """One request on its own connection: (status code, "" or an ELB reason for the failure)."""
        while True:
            self.made += 1
            timer = self._lateness.timer()
            status, problem = await _exchange(host, port, request, seconds)
            if problem != TIMED_OUT or timer.late < seconds * _EXCUSED:
                return status, problem


async def _exchange(host: str, port: int, request: str, seconds: float) -> tuple[int, str]:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(request.encode())
            head = await http.read_head(reader)
        if head is None:
            return 0, "Target.FailedHealthChecks"
        return int(head.line.split(" ", 2)[1]), ""
    except TimeoutError:
        return 0, TIMED_OUT
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return 0, "Target.FailedHealthChecks"
    finally:
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()
