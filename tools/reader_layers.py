"""What `sam deploy` of a page's reader uploads, made fit for this machine and for the lab's time."""

from __future__ import annotations

import sys
from pathlib import Path

from candlefish.catalog.compile import compile as compile_catalog
from candlefish.catalog.read import read
from lab.catalog import compressed
from lab.world import World
from tools import native
from tools.layers import ROOT


def fit(world: World, layer: str, directory: Path) -> None:
    """Fit an unpacked layer, by its name in an environment's stack."""
    found = [each.name for each in (ROOT / "layers").iterdir() if each.is_dir()]
    (source,) = [name for name in found if layer.endswith(f"-{name.replace('_', '-')}")]
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    native.add_twins(directory, f"layers/{source}", (running,))
    for file in directory.rglob("candlefish/catalog.json"):
        file.write_bytes(compile_catalog(compressed(read(file), world.time_scale)))
    # The lab's images are signed by a Sigstore of its own.
    for file in directory.rglob("*tuf-repo-cdn.sigstore.dev/trusted_root.json"):
        file.write_bytes(world.trust_root.read_bytes())
