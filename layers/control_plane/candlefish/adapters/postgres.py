"""A PostgreSQL connection for a handful of statements, in the standard library alone.

Speaks protocol version 3: TLS by SSLRequest, SCRAM-SHA-256 or a clear-text password over TLS, the
simple query. A driver would be the largest thing in the layer, for three statements a minute.
Source: PostgreSQL documentation, "Frontend/Backend Protocol"; RFC 5802 and 7677 for SCRAM.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
from types import TracebackType
from typing import Self

import msgspec

from candlefish.errors import BackupUnusable, NotAllowed, Unavailable

PROTOCOL = 196608
SSL_REQUEST = 80877103
Rows = list[tuple[str | None, ...]]
# SQLSTATE classes that pass by themselves: connection trouble, resources, read-only after a switch.
PASSING = ("08", "53", "57", "25006")
# SQLSTATEs that say that what is stored is broken.
BROKEN = ("XX001", "XX002")


class Login(msgspec.Struct, frozen=True):
    """Where and as whom to connect. `ca` is a file of certificates; empty trusts no TLS at all."""

    host: str
    user: str
    password: str
    database: str = "postgres"
    port: int = 5432
    ca: str = ""


class PostgresError(Exception):
    """What the server refused, with its SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        self.state = state
        super().__init__(f"{message} ({state})")


class Connection:
    """One connection; a context manager. Every error is one of ours.

    Raises
    ------
    Unavailable
        The server does not answer, is starting up, shutting down or read-only.
    NotAllowed
        It refuses the login.
    BackupUnusable
        It says that its data is corrupt.
    PostgresError
        It refuses a statement for another reason.
    """

    def __init__(self, login: Login, timeout: float = 10.0) -> None:
        self._login = login
        try:
            self._socket = socket.create_connection((login.host, login.port), timeout)
            self._secure()
            self._start()
        except (OSError, EOFError) as error:
            raise Unavailable(
                f"database {login.host} does not answer: {error}; it will be tried again"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and hang up."""
        try:
            self._socket.sendall(b"X" + struct.pack(">I", 4))
        except OSError:
            return
        finally:
            self._socket.close()

    # --- statements -------------------------------------------------------------------------

    def execute(self, sql: str) -> Rows:
        """Run statements in one implicit transaction; the rows of the last one, as text."""
        try:
            self._send(b"Q", sql.encode() + b"\0")
            return self._results()
        except (OSError, EOFError) as error:
            raise Unavailable(
                f"database {self._login.host} hung up: {error}; it will be tried again"
            ) from error

    def _results(self) -> Rows:
        rows: Rows = []
        refused: PostgresError | None = None
        while True:
            kind, body = self._receive()
            if kind == b"T":
                rows = []
            elif kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                refused = _refusal(body)
            elif kind == b"Z":
                if refused is not None:
                    raise self._ours(refused)
                return rows

    def _ours(self, refused: PostgresError) -> Exception:
        host = self._login.host
        if refused.state in BROKEN:
            return BackupUnusable(f"database {host} says that its data is corrupt: {refused}")
        if refused.state.startswith("28"):
            return NotAllowed(f"database {host} refuses the login of {self._login.user}: {refused}")
        if refused.state.startswith(PASSING):
            return Unavailable(f"database {host}: {refused}; it will be tried again")
        return refused

    # --- starting ---------------------------------------------------------------------------

    def _secure(self) -> None:
        if not self._login.ca:
            return
        self._socket.sendall(struct.pack(">II", 8, SSL_REQUEST))
        if self._socket.recv(1) != b"S":
            raise NotAllowed(f"database {self._login.host} offers no TLS; switch rds.force_ssl on")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self._login.ca)
        self._socket = context.wrap_socket(self._socket, server_hostname=self._login.host)

    def _start(self) -> None:
        login = self._login
        words = ["user", login.user, "database", login.database, "application_name", "candlefish", ""]
        body = struct.pack(">I", PROTOCOL) + b"\0".join(word.encode() for word in words) + b"\0"
        self._socket.sendall(struct.pack(">I", len(body) + 4) + body)
        scram: _Scram | None = None
        while True:
            kind, answer = self._receive()
            if kind == b"E":
                raise self._ours(_refusal(answer))
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            (method,) = struct.unpack(">I", answer[:4])
            if method == 3 and login.ca:
                self._send(b"p", login.password.encode() + b"\0")
            elif method == 10:
                scram = _Scram(login.password)
                first = scram.first()
                self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first)
            elif method == 11 and scram is not None:
                self._send(b"p", scram.final(answer[4:]))
            elif method == 12 and scram is not None:
                scram.verify(answer[4:], login.host)
            elif method != 0:
                raise NotAllowed(
                    f"database {login.host} asks for authentication method {method}; use scram-sha-256"
                )

    def _send(self, kind: bytes, body: bytes) -> None:
        self._socket.sendall(kind + struct.pack(">I", len(body) + 4) + body)

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._exactly(5)
        (length,) = struct.unpack(">I", head[1:])
        return head[:1], self._exactly(length - 4)

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(min(size, 1 << 16))
            if not part:
                raise EOFError("the connection was closed")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class _Scram:
    """The client's side of SCRAM-SHA-256, without channel binding."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._nonce = base64.b64encode(os.urandom(18)).decode()
        self._server_signature = b""

    def first(self) -> bytes:
        return f"n,,n=,r={self._nonce}".encode()

    def final(self, challenge: bytes) -> bytes:
        said = dict(part.split("=", 1) for part in challenge.decode().split(","))
        if not said["r"].startswith(self._nonce):
            raise NotAllowed("the database answered with another nonce than ours; it is not who it says")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(said["s"]), int(said["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        without = f"c=biws,r={said['r']}"
        message = f"n=,r={self._nonce},{challenge.decode()},{without}".encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, answer: bytes, host: str) -> None:
        if base64.b64decode(answer.decode().removeprefix("v=")) != self._server_signature:
            raise NotAllowed(f"{host} does not know the password either; it is not the database it says")


def _row(body: bytes) -> tuple[str | None, ...]:
    (count,) = struct.unpack(">H", body[:2])
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (length,) = struct.unpack(">i", body[at : at + 4])
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[at : at + length].decode())
            at += length
    return tuple(values)


def _refusal(body: bytes) -> PostgresError:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return PostgresError(fields.get(b"C", "?????"), fields.get(b"M", "no message"))
