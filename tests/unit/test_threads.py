"""What several threads read at once is known to msgspec before they do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.views import sample_text

ROOT = Path(__file__).parents[2]
# Many young processes, in each of which threads read a struct for the first time: how many of them died.
PROGRAM = """
import os, sys, threading
sys.setswitchinterval(1e-6)
import msgspec
from importlib import import_module
module, name, imported = sys.argv[1:]
import_module(imported)
kind = getattr(import_module(module), name)
document = sys.stdin.buffer.read()

def read(barrier):
    barrier.wait()
    msgspec.json.decode(document, type=kind)

died = 0
for _ in range(100):
    pid = os.fork()
    if pid == 0:
        barrier = threading.Barrier(6)
        threads = [threading.Thread(target=read, args=(barrier,)) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        os._exit(0)
    died += os.waitpid(pid, 0)[1] != 0
print(died)
"""


PEERS, REGISTRY, OCI = (f"candlefish.adapters.{name}" for name in ("aws.peers", "http.registry", "http.oci"))


@pytest.mark.parametrize(
    ("module", "name", "imported", "document"),
    [
        ("candlefish.views.model", "FleetView", PEERS, sample_text("fleet")),
        ("candlefish.web", "HttpAnswer", PEERS, '{"statusCode": 200, "headers": {"a": "b"}, "body": "{}"}'),
        (
            REGISTRY,
            "ManifestDocument",
            REGISTRY,
            '{"layers": [{"digest": "d", "platform": {"os": "linux"}}]}',
        ),
        (OCI, "_Refusal", REGISTRY, '{"errors": [{"message": "no"}]}'),
        (OCI, "Token", REGISTRY, '{"token": "t"}'),
    ],
)
def test_threads_that_read_a_struct_at_once_live(
    module: str, name: str, imported: str, document: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, name, imported],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/layers/control_plane"},
        input=document,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ran.stdout) == 0
