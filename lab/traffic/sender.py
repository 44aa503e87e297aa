"""The process that plays the users: it sends what `lab.traffic.load` asks for, and tells of every request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import signal
import socket
import sys
import time
from collections import deque

import msgspec

from lab.traffic import http
from lab.traffic.load import GIVE_UP_SECONDS, Sample, Told, Users

_TELL_SECONDS = 0.1
# Users who wait for an answer ask for nothing else: at most so many seconds' requests are under way. A machine that
# does not keep up would otherwise be buried by what it owes.
_MOST_SECONDS, _LEAST_MOST = 4.0, 64


class Sender:
    """Sends as the users do until `stop`. What was answered waits to be told."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._halt = False
        self._sent = 0
        self._answered: list[Sample] = []

    def stop(self) -> None:
        """Send no more."""
        self._halt = True

    def told(self) -> Told:
        """What there is to tell since the last call."""
        answered, self._answered = self._answered, []
        return Told(self._sent, answered)

    async def run(self) -> None:
        """Send until stopped, and wait for the answers that are due."""
        tasks: set[asyncio.Task[None]] = set()
        rate, hosts = self._users.rate, self._users.hosts
        paths, shares = [*self._users.paths], [*self._users.paths.values()]
        chance = random.Random(rate)
        most = max(_MOST_SECONDS * rate, _LEAST_MOST)
        began = time.perf_counter()
        while not self._halt:
            due = int((time.perf_counter() - began) * rate) + 1
            while self._sent < due and len(tasks) < most:
                task = asyncio.create_task(
                    self._one(hosts[self._sent % len(hosts)], chance.choices(paths, shares)[0])
                )
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                self._sent += 1
            # What was not asked for in its time is not asked for later.
            began += (due - self._sent) / rate
            await asyncio.sleep(max(0.0, began + self._sent / rate - time.perf_counter()))
        await asyncio.gather(*tasks)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, host: str, path: str) -> None:
        at, began = time.time(), time.perf_counter()
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                head = await self._exchange(host, path)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            took = time.perf_counter() - began
            problem = f"{type(error).__name__}: {error}"
            self._answered.append(Sample(at, host, 0, "", "", took, problem, path=path))
            return
        headers = head.headers
        self._answered.append(
            Sample(
                at,
                host,
                int(head.line.split(" ", 2)[1]),
                headers.get("x-version", ""),
                headers.get("x-pod", ""),
                time.perf_counter() - began,
                balancer=headers.get("x-lab-elb", ""),
                path=path,
            )
        )

    async def _exchange(self, host: str, path: str) -> http.Head:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lab-load\r\n\r\n".encode()
        while True:
            kept = bool(self._idle)
            if kept:
                reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection(
                    self._users.address, self._users.port, limit=http.MAX_HEAD
                )
            try:
                writer.write(request)
                head = await http.read_head(reader)
                if head is None:
                    raise ConnectionResetError("closed without an answer")
                await http.read_body(reader, head)
            except (OSError, asyncio.IncompleteReadError):
                writer.close()
                if kept:
                    continue
                raise
            except asyncio.CancelledError:
                writer.close()
                raise
            if head.closes:
                with contextlib.suppress(OSError):
                    writer.close()
            else:
                self._idle.append((reader, writer))
            return head


async def _serve(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    sender = Sender(msgspec.json.decode(await reader.readline(), type=Users))

    def tell() -> None:
        writer.write(msgspec.json.encode(sender.told()) + b"\n")

    async def tell_often() -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            tell()

    async def until_told_to_stop() -> None:
        # Whoever started this hangs up, or is gone, and what it was told last is unread.
        with contextlib.suppress(OSError):
            await reader.read()
        sender.stop()

    beside = [asyncio.create_task(tell_often()), asyncio.create_task(until_told_to_stop())]
    await sender.run()
    for task in beside:
        task.cancel()
    tell()
    with contextlib.suppress(OSError):
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def main() -> None:
    """Run on the socket whose file descriptor is on the command line, until the other side hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    asyncio.run(_serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
