"""Addresses of the loopback network: whoever needs some claims a part of it, each Pod and each database gets its own."""

from __future__ import annotations

import socket
import threading

# A lab claims its part by listening here.
_CLAIM_PORT = 47001


class Addresses:
    """A /16 of the loopback network that nobody else on this machine uses. Thread-safe.

    Raises
    ------
    RuntimeError
        Every one is taken.
    """

    def __init__(self) -> None:
        self._network, self._claim = _claimed()
        self._given: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, uid: str) -> str:
        """The address that only this one has."""
        with self._lock:
            serial = len(self._given) + 1
            return self._given.setdefault(uid, f"{self._network}.{serial // 250}.{serial % 250 + 1}")

    def close(self) -> None:
        """Leave the network to others."""
        self._claim.close()


def _claimed() -> tuple[str, socket.socket]:
    for second in range(64, 250):
        claim = socket.socket()
        try:
            claim.bind((f"127.{second}.255.254", _CLAIM_PORT))
            claim.listen()
        except OSError:
            claim.close()
            continue
        return f"127.{second}", claim
    raise RuntimeError("186 labs run on this machine already; end one")
