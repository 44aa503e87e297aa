"""Composition root of the page: its files, which the function carries."""

from __future__ import annotations

from pathlib import Path

from candlefish.views.serve_console import Site


def console_files(function: str) -> Site:
    """What stands in `static/` beside the function's module."""
    folder = Path(function).parent / "static"
    files = (path for path in folder.rglob("*") if path.is_file())
    return Site.of({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})
