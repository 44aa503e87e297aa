"""What the page carries of others, by version and sha256 (tools/vendor.json): `--check` compares what is there, without the network.

Without it, npm fetches each package, its tarball is compared, and the files are written. A new version: change `version`
and empty its hashes, run this, read what it prints and what changed, and write the hashes down.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
PINS = ROOT / "tools/vendor.json"
LARGEST = 2 * 1024 * 1024


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """A file of a package; `sha256` is of what is written, so after `change` (each text once, in its order)."""

    source: str
    to: str
    sha256: str
    change: tuple[tuple[str, str], ...] = ()


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package of the npm registry; `tarball` is its sha256."""

    name: str
    version: str
    licence: str
    tarball: str
    files: tuple[File, ...]


class Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    into: str
    packages: tuple[Package, ...]


def pins() -> Pins:
    return msgspec.json.decode(PINS.read_bytes(), type=Pins)


def differences(pinned: Pins, root: Path) -> Iterator[str]:
    """What is not as it is pinned, a sentence each."""
    folder = root / pinned.into
    files = {file.to: file for package in pinned.packages for file in package.files}
    for name, file in files.items():
        path = folder / name
        if not path.is_file():
            yield f"{pinned.into}/{name} is missing; run `python -m tools.vendor`"
        elif (found := digest(path.read_bytes())) != file.sha256:
            yield f"{pinned.into}/{name} has sha256 {found}, tools/vendor.json says {file.sha256 or 'nothing'}"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in files:
            yield f"{pinned.into}/{path.name} is in nobody's list; name it in tools/vendor.json or delete it"


def changed(published: bytes, file: File) -> bytes:
    """A published file as we serve it.

    Raises
    ------
    ValueError
        A text that is to be changed does not stand in it exactly once.
    """
    text = published.decode()
    for before, after in file.change:
        if text.count(before) != 1:
            raise ValueError(f"{file.source}: {before!r} stands in it {text.count(before)} times, not once")
        text = text.replace(before, after)
    return text.encode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fetch(package: Package, folder: Path) -> bytes:
    wanted = f"{package.name}@{package.version}"
    subprocess.run(["npm", "pack", "--silent", wanted], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (path,) = folder.glob(f"{package.name}-{package.version}.tgz")
    return path.read_bytes()


def main() -> int:
    pinned = pins()
    if "--check" not in sys.argv[1:]:
        (ROOT / pinned.into).mkdir(parents=True, exist_ok=True)
        for package in pinned.packages:
            with tempfile.TemporaryDirectory() as name:
                tarball = _fetch(package, Path(name))
                if (found := digest(tarball)) != package.tarball:
                    print(
                        f"{package.name} {package.version}: tarball {found}, pinned {package.tarball or 'nothing'}"
                    )
                    if package.tarball:
                        return 1
                (path,) = Path(name).iterdir()
                with tarfile.open(path) as packed:
                    for file in package.files:
                        member = packed.extractfile(f"package/{file.source}")
                        assert member is not None, file.source
                        (ROOT / pinned.into / file.to).write_bytes(changed(member.read(LARGEST), file))
    wrong = list(differences(pinned, ROOT))
    print("\n".join(wrong) or f"{pinned.into}: as pinned")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
