"""Make what `sam build` made runnable on this machine.

The artefacts hold arm64 extension modules. This links the build tree to another place and adds, beside
each of them, its twin for this machine from the same locked release; everything else is the artefact.

    python -m tools.native .aws-sam/build build/native/.aws-sam/build
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sys
import tempfile
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from tools.layers import ROOT, install

AARCH64 = 183
TAG = ".cpython-313-aarch64-linux-gnu.so"
# For every Python from some version on, and every machine: the name does not tell.
STABLE = ".abi3.so"
# The lab's interpreter, and the runtime's own for measuring.
VERSIONS = tuple(sorted({"3.13", f"{sys.version_info.major}.{sys.version_info.minor}"}))


def foreign(tree: Path) -> list[Path]:
    """Extension modules in a tree that Lambda could not load: not arm64, or not for Python 3.13."""
    return [
        path
        for path in tree.rglob("*.so")
        if machine_of(path) != AARCH64 or not path.name.endswith((TAG, STABLE))
    ]


def machine_of(path: Path) -> int:
    """The machine number in an ELF header; 0 when it is no ELF file."""
    header = path.read_bytes()[:20]
    return int(struct.unpack_from("<H", header, 18)[0]) if header[:4] == b"\x7fELF" else 0


def make(build: Path, out: Path) -> None:
    """Fill `out` with the build tree and the twins."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(build, out, copy_function=os.link)
    if bad := foreign(out):
        sys.exit("the build holds extension modules that Lambda cannot load: " + ", ".join(map(str, bad)))
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for layer, definition in template["Resources"].items():
        if definition["Type"] == "AWS::Serverless::LayerVersion":
            add_twins(out / layer, definition["Properties"]["ContentUri"])


def add_twins(layer: Path, source: str, versions: tuple[str, ...] = VERSIONS) -> None:
    """Put beside each extension module of an unpacked layer its twins for this machine.

    Parameters
    ----------
    source
        The layer's directory in this tree; its lock says which releases the layer was built from.
    versions
        Of the interpreters that shall find their twin.
    """
    if bad := foreign(layer):
        sys.exit("the layer holds extension modules that Lambda cannot load: " + ", ".join(map(str, bad)))
    machine = platform.machine()
    platforms = [f"manylinux_{v}_{machine}" for v in ("2_34", "2_28", "2_17")] + [f"manylinux2014_{machine}"]
    wanted = [path.relative_to(layer / "python") for tag in (TAG, STABLE) for path in layer.rglob(f"*{tag}")]
    for version in versions:
        with tempfile.TemporaryDirectory() as scratch:
            install(ROOT / source / "requirements.lock", Path(scratch), platforms, version)
            for path in wanted:
                name = path.name.removesuffix(TAG)
                # mypyc calls its shared module by a hash of the build: take what stands there.
                beside = Path(scratch) / path.parent
                patterns = (
                    (path.name,)
                    if name.endswith(STABLE)
                    else (f"{name}.cpython-*.so", "*__mypyc.cpython-*.so")
                )
                found = next(filter(None, (list(beside.glob(pattern)) for pattern in patterns)), [])
                if not found:
                    sys.exit(f"{path} has no twin for Python {version} on {machine}")
                for twin in found:
                    place = layer / "python" / path.parent / twin.name
                    # What has the name is taken away first: it is a link to what was built.
                    place.unlink(missing_ok=True)
                    shutil.copy2(twin, place)


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
