"""The process that plays the users ends with whoever started it, however that ends."""

from __future__ import annotations

import socket
import subprocess
import sys

import msgspec
import pytest

from lab import ROOT
from lab.traffic.load import Users
from tests.support.waiting import PATIENCE


@pytest.mark.parametrize("unread", [False, True], ids=["all was heard", "some was never heard"])
def test_users_are_gone_when_nobody_listens(unread: bool) -> None:
    with socket.socket() as nobody:
        # Bound and not listened at: every request is refused at once.
        nobody.bind(("127.0.0.1", 0))
        users = Users(nobody.getsockname()[1], ["users.test"], 20.0, {"/": 1.0}, "127.0.0.1")
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "lab.traffic.sender", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
            )
        ours.sendall(msgspec.json.encode(users) + b"\n")
        assert ours.recv(1, socket.MSG_PEEK), "it has begun to tell"
        if not unread:
            ours.shutdown(socket.SHUT_WR)
            while ours.recv(1 << 16):
                pass
        ours.close()
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
