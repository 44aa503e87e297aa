"""Just enough HTTP/1.1 for the load balancer, the services and the load generator."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec

MAX_HEAD = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Head(msgspec.Struct):
    """The first line and the headers of a message; header names are lower case, the last value wins."""

    line: str
    headers: dict[str, str]
    raw: list[tuple[str, str]]

    @property
    def length(self) -> int:
        """The declared length of the body, in bytes."""
        return int(self.headers.get("content-length") or 0)

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def closes(self) -> bool:
        """Whether the sender closes the connection after this message."""
        wish = self.headers.get("connection", "").lower()
        return wish == "close" or (self.line.endswith("HTTP/1.0") and wish != "keep-alive")


def parse(data: bytes) -> Head:
    """Read a head, up to and including its empty line.

    Raises
    ------
    ValueError
        When it is not HTTP/1.
    """
    lines = data.decode("latin-1").split("\r\n")
    raw = []
    headers = {}
    for line in lines[1:]:
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"not a header: {line[:100]!r}")
        value = value.strip()
        raw.append((name, value))
        headers[name.lower()] = value
    if "HTTP/1" not in lines[0]:
        raise ValueError(f"not HTTP/1: {lines[0][:100]!r}")
    return Head(lines[0], headers, raw)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head, or None at the end of the stream."""
    try:
        return parse(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionResetError("the connection ended inside a head") from error
        return None


async def read_body(reader: asyncio.StreamReader, head: Head, *, until_close: bool = False) -> bytes:
    """The whole body that belongs to a head."""
    if head.chunked:
        parts: list[bytes] = []
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            data = await reader.readexactly(size + 2)
            if size == 0:
                return b"".join(parts)
            parts.append(data[:-2])
    if "content-length" in head.headers:
        return await reader.readexactly(head.length) if head.length else b""
    return await reader.read() if until_close else b""


def response(
    status: int,
    body: bytes,
    content_type: str = "text/plain",
    headers: dict[str, str] | None = None,
    *,
    close: bool = False,
) -> bytes:
    """A whole response, ready to write."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, '')}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
