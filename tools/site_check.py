"""Looks through the built site: every link, picture and script is there, and none is fetched from elsewhere.

    python -m tools.site_check [build/site]

MkDocs' own look (`--strict`) knows Markdown; this reads what browsers read. Links to other sites are counted, not followed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urlsplit

import msgspec

from tools.layers import ROOT

SITE = ROOT / "build/site"
# What a browser fetches without being asked; a link it only follows.
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src", "object": "data"}
# A `link` of these kinds names a page and fetches nothing.
NAMES_A_PAGE = {"canonical", "next", "prev", "alternate", "edit"}


class Seen(msgspec.Struct):
    """What a page has: names that a link can go to, its links, and what a browser fetches for it."""

    names: set[str] = msgspec.field(default_factory=set)
    links: list[str] = msgspec.field(default_factory=list)
    fetched: list[str] = msgspec.field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        for name in ("id", "name"):
            if said.get(name) and tag != "meta":
                self.seen.names.add(said[name])
        if tag == "a" and "href" in said:
            self.seen.links.append(said["href"])
        if tag == "link" and "href" in said and not NAMES_A_PAGE & set(said.get("rel", "").split()):
            self.seen.fetched.append(said["href"])
        if said.get(FETCHED.get(tag, "")):
            self.seen.fetched.append(said[FETCHED[tag]])


def read(html: str) -> Seen:
    """What a page has."""
    reader = _Reader()
    reader.feed(html)
    return reader.seen


def wrong(pages: Mapping[str, Seen], files: set[str]) -> tuple[list[str], int]:
    """What is wrong with pages, by their path in the site, beside the `files` of it; and how many links leave it."""
    found: list[str] = []
    leaving = 0
    for page, seen in sorted(pages.items()):
        for to in seen.fetched:
            if urlsplit(to).netloc:
                found.append(f"{page} fetches {to}: nothing comes from elsewhere")
        for to in (*seen.links, *seen.fetched):
            parts = urlsplit(to)
            if parts.scheme or parts.netloc:
                leaving += 1
                continue
            path = _path(page, unquote(parts.path))
            if path not in files:
                found.append(f"{page} links to {to}, which is not there")
            elif parts.fragment and path in pages and unquote(parts.fragment) not in pages[path].names:
                found.append(f"{page} links to {to}: {path} has no such heading")
    return found, leaving


def _path(page: str, to: str) -> str:
    if not to:
        return page
    path = (
        normpath((PurePosixPath(page).parent / to.lstrip("/")).as_posix()) if to[0] != "/" else to.lstrip("/")
    )
    return "index.html" if path in ("", ".") else path


def main() -> int:
    """1 where something is wrong."""
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else SITE
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    # The page for what is not there is served from anywhere, by addresses that depend on where the site is.
    names = [name for name in files if name.endswith(".html") and name != "404.html"]
    if not names:
        print(f"there is no site in {site}; build it with: make site")
        return 1
    pages = {name: read((site / name).read_text()) for name in names}
    found, leaving = wrong(pages, files)
    for line in found:
        print(line)
    if not found:
        links = sum(len(seen.links) for seen in pages.values())
        print(
            f"{site.name}: {len(pages)} pages, {links} links, all there; {leaving} lead elsewhere, nothing is fetched from there"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
