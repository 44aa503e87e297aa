"""What the page carries of others is what was published, changed where it is written down, with its licence beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from tools.vendor import ROOT, File, changed, differences, pins


def test_every_file_is_as_pinned_and_has_its_licence() -> None:
    pinned = pins()
    assert list(differences(pinned, ROOT)) == []
    notice = (ROOT / "NOTICE").read_text()
    for package in pinned.packages:
        assert f"{package.name}.LICENSE" in {file.to for file in package.files}
        assert f"{package.name} {package.version} ({package.licence})" in notice


def test_a_changed_a_missing_and_a_strange_file_are_told(tmp_path: Path) -> None:
    pinned = pins()
    folder = tmp_path / pinned.into
    shutil.copytree(ROOT / pinned.into, folder)
    (folder / "htm.js").write_bytes((folder / "htm.js").read_bytes() + b"\n")
    (folder / "preact.js").unlink()
    (folder / "more.js").write_bytes(b"")
    told = "\n".join(differences(pinned, tmp_path))
    assert (
        "htm.js has sha256" in told
        and "preact.js is missing" in told
        and "more.js is in nobody's list" in told
    )
    assert told.count("\n") == 2


def test_a_change_that_no_longer_fits_is_refused() -> None:
    file = File("a", "a", "", (("x", "y"),))
    assert changed(b"axb", file) == b"ayb"
    for published in (b"ab", b"axbx"):
        with pytest.raises(ValueError, match="not once"):
            changed(published, file)


def test_pins_say_where_from() -> None:
    assert msgspec.json.encode(pins())
    assert all(len(package.tarball) == 64 for package in pins().packages)
