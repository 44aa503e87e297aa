"""Serve the page: what a browser loads before anybody has signed in, so the same for everybody and nothing of anybody.

`/` names every file under one digest of all of them. What stands under that digest never changes, and a browser keeps it
for a year; after an update the page names another one. The page may talk to its own origin and nobody else.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from candlefish.web import HttpAnswer, HttpRequest

# File name of the page itself, and what stands in it for where the others are, and for the modules to load ahead.
PAGE = "index.html"
PLACE = "{assets}"
AHEAD = "{ahead}"
# What is no module.
SCRIPTS = ("boot.js", "vendor/uplot.js")
KINDS: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
# Chunks of text that came from outside can make no markup run: no script but our files, no inline style, no other origin.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}
FOREVER = "public, max-age=31536000, immutable"
# Smaller than this, compressing saves nothing.
LEAST_COMPRESSED = 512


class Site(msgspec.Struct, frozen=True):
    """The page's files by name, with the digest that they are served under."""

    files: Mapping[str, bytes]
    digest: str

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Site:
        """Every file by its name below the folder of the page."""
        whole = hashlib.sha256()
        for name in sorted(files):
            whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
        return cls(files, whole.hexdigest()[:16])

    @property
    def place(self) -> str:
        return f"/assets/{self.digest}"

    def page(self) -> bytes:
        """The page, with where its files are; modules are loaded side by side and not one after the other."""
        modules = (name for name in sorted(self.files) if name.endswith(".js") and name not in SCRIPTS)
        ahead = "".join(f'<link rel="modulepreload" href="{self.place}/{name}">\n' for name in modules)
        text = self.files[PAGE].decode()
        return text.replace(AHEAD, ahead).replace(PLACE, self.place).encode()


def serve_console(request: HttpRequest, *, site: Site) -> HttpAnswer:
    """Answer for `/` and `/assets/<digest>/<file>`; everything else is not here."""
    if request.method not in ("GET", "HEAD"):
        return _said(405, "the page is only read; send a GET", allow="GET, HEAD")
    if request.raw_path in ("", "/"):
        return _file(request, site.page(), "html", "no-cache")
    name = request.raw_path.removeprefix(f"{site.place}/")
    if name == request.raw_path or name == PAGE or name not in site.files:
        return _said(404, "this file is not of the page as it is now; load the page again")
    return _file(request, site.files[name], name.rpartition(".")[2], FOREVER)


def _file(request: HttpRequest, content: bytes, kind: str, keep: str) -> HttpAnswer:
    squeezed = request.takes_gzip and len(content) >= LEAST_COMPRESSED
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}{"-gzip" if squeezed else ""}"'
    headers = {**HEADERS, "cache-control": keep, "etag": tag, "vary": "accept-encoding"}
    if tag in (each.strip().removeprefix("W/") for each in request.header("if-none-match").split(",")):
        return HttpAnswer(304, headers, "")
    headers["content-type"] = KINDS[kind]
    if squeezed:
        headers["content-encoding"] = "gzip"
    if request.method == "HEAD":
        return HttpAnswer(200, headers, "")
    if squeezed:
        return HttpAnswer(200, headers, _compressed(content), is_base64_encoded=True)
    return HttpAnswer(200, headers, content.decode())


@lru_cache(maxsize=256)
def _compressed(content: bytes) -> str:
    """Once for each file and process; without a time, so that the same content gives the same bytes."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _said(status: int, words: str, **more: str) -> HttpAnswer:
    headers = {**HEADERS, "content-type": KINDS["LICENSE"], "cache-control": "no-store", **more}
    return HttpAnswer(status, headers, words + "\n")
