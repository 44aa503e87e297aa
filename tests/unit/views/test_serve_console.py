"""The page's files: one digest for all of them, kept for ever under it, and no way for text to become a program."""

from __future__ import annotations

import base64
import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from candlefish.bootstrap.console import console_files
from candlefish.views.serve_console import PAGE, POLICY, Site, serve_console
from candlefish.web import Http, HttpAnswer, HttpRequest, RequestContext

ROOT = Path(__file__).parents[3]
FUNCTION = ROOT / "functions/serve_console/app.py"
SITE = console_files(str(FUNCTION))
# A page of at most so many bytes, all files that a browser loads together.
LARGEST = 300 * 1024


def ask(path: str, *, method: str = "GET", site: Site = SITE, **headers: str) -> HttpAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest(headers=named, raw_path=path, request_context=RequestContext(http=Http(method)))
    return serve_console(request, site=site)


def content(answer: HttpAnswer) -> bytes:
    body = base64.b64decode(answer.body) if answer.is_base64_encoded else answer.body.encode()
    return gzip.decompress(body) if answer.headers.get("content-encoding") == "gzip" else body


def test_the_page_names_its_files_under_one_digest_and_each_of_them_is_there() -> None:
    page = content(ask("/")).decode()
    named = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert len(named) > 20 and all(name.startswith(f"/assets/{SITE.digest}/") for name in named)
    for name in named:
        answer = ask(name)
        assert answer.status_code == 200, name
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    # Every module is loaded ahead: none waits for another one to be read.
    modules = {path.name for path in (FUNCTION.parent / "static").glob("*.js")}
    assert modules == {
        name.rpartition("/")[2] for name in named if "/vendor/" not in name and name.endswith(".js")
    }


def test_every_import_of_a_module_is_a_file_of_ours() -> None:
    folder = FUNCTION.parent / "static"
    for path in folder.rglob("*.js"):
        for name in re.findall(r'from *"([^"]+)"', path.read_text()):
            assert name.startswith("./") and (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_a_changed_file_has_another_address() -> None:
    before, after = Site.of({PAGE: b"{assets}", "a.js": b"1"}), Site.of({PAGE: b"{assets}", "a.js": b"2"})
    assert content(ask("/", site=before)) != content(ask("/", site=after))
    assert ask(f"{before.place}/a.js", site=after).status_code == 404
    # What stands in a file never runs into the next one's name.
    assert Site.of({"a": b"b", "c": b""}).digest != Site.of({"a": b"", "bc": b""}).digest


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/assets/app.js",
        "/assets/0000000000000000/app.js",
        f"{SITE.place}/{PAGE}",
        f"{SITE.place}/../app.py",
        f"{SITE.place}//app.js",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    answer = ask(path)
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == POLICY


def test_the_page_is_only_read() -> None:
    answer = ask("/", method="POST")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert ask("/", method="HEAD").body == ""


def test_what_a_browser_has_is_not_sent_again() -> None:
    for accepted in ("", "gzip"):
        first = ask("/", accept_encoding=accepted)
        again = ask("/", accept_encoding=accepted, if_none_match=f'"other", W/{first.headers["etag"]}')
        assert (again.status_code, again.body) == (304, "")
    # Compressed and not are two representations.
    assert ask("/").headers["etag"] != ask("/", accept_encoding="gzip").headers["etag"]


@pytest.mark.parametrize(
    ("accepted", "squeezed"),
    [
        ("", False),
        ("br", False),
        ("gzip", True),
        ("br;q=1.0, gzip;q=0.8", True),
        ("gzip;q=0", False),
        ("GZIP", True),
    ],
)
def test_it_is_compressed_where_that_is_asked_for(accepted: str, squeezed: bool) -> None:
    answer = ask(f"{SITE.place}/app.css", accept_encoding=accepted)
    assert (answer.headers.get("content-encoding") == "gzip") is squeezed
    assert content(answer) == SITE.files["app.css"]


@pytest.mark.parametrize("path", ["/", f"{SITE.place}/app.js", "/nowhere"])
def test_every_answer_forbids_what_the_page_does_not_need(path: str) -> None:
    headers = ask(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert (
        policy["default-src"] == "'none'"
        and policy["script-src"] == "'self'"
        and policy["style-src"] == "'self'"
    )
    assert (
        policy["connect-src"] == "'self'"
        and policy["frame-ancestors"] == "'none'"
        and policy["base-uri"] == "'none'"
    )
    assert (
        "unsafe" not in headers["content-security-policy"]
        and "http" not in headers["content-security-policy"]
    )
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


class Inline(HTMLParser):
    """Finds what the policy would refuse."""

    found: list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, _ in attrs:
            if name == "style" or name.startswith("on"):
                self.found.append(f"{tag} {name}")
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.found.append(tag)


def test_nothing_is_inline_and_no_module_makes_markup_of_text() -> None:
    parser = Inline()
    parser.found = []
    parser.feed(content(ask("/")).decode())
    assert parser.found == []
    for path in (FUNCTION.parent / "static").glob("*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://",
            path.read_text(),
        )
        assert found == [], f"{path.name}: {found}"


def test_the_page_stays_small() -> None:
    sent = {name: data for name, data in SITE.files.items() if not name.endswith("LICENSE")}
    whole = sum(len(data) for data in sent.values())
    squeezed = sum(len(gzip.compress(data, 9)) for data in sent.values())
    print(f"the page: {len(sent)} files, {whole:,} bytes, {squeezed:,} compressed, of {LARGEST:,}")
    assert whole <= LARGEST
    assert squeezed <= LARGEST / 3
