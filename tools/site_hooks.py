"""What MkDocs is told beside mkdocs.yml: pages from outside docs/, links that leave it, and mermaid from our own origin."""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Pages of the checkout's root that are pages of the site, too.
ADDED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
}
DECISIONS = "decisions/index.md"
MERMAID = ROOT / ".tools/node/node_modules/@mermaid-js/tiny"
SCRIPT = "assets/mermaid.js"

# A link or a picture of Markdown: its text, where it goes, and the part of that page.
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s#]+)(?P<part>#[^)\s]*)?\)"
)
_FENCED = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^# (?:(?P<number>\d+)\. )?(?P<title>.+)$", re.MULTILINE)
_LIST = re.compile(r"^(?:[-*] |\d+\. |\|)")

log = logging.getLogger("mkdocs.hooks.site")


# --- what is done, as functions of text ----------------------------------------------------------------------------


def led_on(text: str, page: str, repository: str, exists: Callable[[str], bool]) -> tuple[str, list[str]]:
    """A page of docs/ with its links made the site's, and the links that lead nowhere.

    A link out of docs/ goes to the site's own page where there is one (`ADDED`), else to the checkout at `repository`; where no
    address of it is known only its text is left. `page` is the page's path below docs/.
    """
    broken: list[str] = []

    def led(found: re.Match[str]) -> str:
        to = found["to"]
        if re.match(r"[a-z]+:", to) or not to.startswith("../"):
            return found[0]
        path = posixpath.normpath((PurePosixPath("docs", page).parent / to).as_posix())
        if path.startswith("docs/"):
            return found[0]
        if path in ADDED:
            here = posixpath.relpath(ADDED[path], PurePosixPath(page).parent.as_posix())
            return f"[{found['text']}]({here}{found['part'] or ''})"
        if not exists(path):
            broken.append(to)
            return found[0]
        return f"[{found['text']}]({repository}/blob/main/{path})" if repository else found["text"]

    return _outside_code(text, lambda prose: _LINK.sub(led, prose)), broken


def brought_in(text: str) -> str:
    """A page of the checkout's root as a page of docs/: what it links to is seen from there."""

    def led(found: re.Match[str]) -> str:
        to = found["to"]
        if re.match(r"[a-z]+:", to):
            return found[0]
        there = to.removeprefix("docs/") if to.startswith("docs/") else f"../{to}"
        return f"{found['image']}[{found['text']}]({there}{found['part'] or ''})"

    return _outside_code(text, lambda prose: _LINK.sub(led, prose))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts, last = [], 0
    for block in _FENCED.finditer(text):
        parts += [change(text[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*parts, change(text[last:])])


def decisions(pages: Iterable[tuple[str, str]]) -> str:
    """The list of decisions, from the name and the text of each."""
    rows = [
        f"| {heading['number'] or ''} | [{heading['title']}]({name}) |"
        for name, text in sorted(pages)
        if (heading := _HEADING.search(text))
    ]
    return "\n".join(
        [
            "# Decisions",
            "",
            "What somebody will ask about in a year: what was decided, why, and what it costs. Numbers stay; a decision that no "
            "longer holds says which one took its place.",
            "",
            "| | decision |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def spaced(text: str) -> str:
    """A page with an empty line before each list and table that begins right below a paragraph: GitHub needs none, MkDocs does."""
    lines: list[str] = []
    fenced, before = False, ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif (
            not fenced and _LIST.match(line) and before and not _LIST.match(before) and before[0] not in " #<"
        ):
            # In a list that is told over several lines the line before is of an item: it is indented.
            lines.append("")
        lines.append(line)
        before = line
    return "\n".join(lines) + "\n"


def with_mermaid(html: str, script: str) -> str:
    """A page with the script that draws its diagrams, before the theme looks for it; as it is, where it has none."""
    if 'class="mermaid"' not in html:
        return html
    return re.sub(
        r'(<script src="[^"]*assets/javascripts/bundle)',
        rf'<script src="{script}"></script>\1',
        html,
        count=1,
    )


# --- what MkDocs calls ---------------------------------------------------------------------------------------------


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in docs/, and the script."""
    from mkdocs.structure.files import File

    for source, page in ADDED.items():
        files.append(File.generated(config, page, content=brought_in((ROOT / source).read_text())))
    pages = ((path.name, path.read_text()) for path in (ROOT / "docs/decisions").glob("0*.md"))
    files.append(File.generated(config, DECISIONS, content=decisions(pages)))
    files.append(File.generated(config, SCRIPT, content=(MERMAID / "dist/mermaid.tiny.js").read_text()))
    licence = (MERMAID / "LICENSE").read_text()
    files.append(File.generated(config, f"{SCRIPT}.LICENSE.txt", content=licence))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead links on, and say which lead nowhere; show lists as GitHub does."""
    where = page.file.src_uri
    text, broken = led_on(markdown, where, config.repo_url or "", lambda path: (ROOT / path).exists())
    for to in broken:
        log.warning("%s links to %s, which does not exist", where, to)
    return spaced(text)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Bring mermaid to the pages that have diagrams."""
    up = "../" * page.url.count("/")
    return with_mermaid(output, f"{up}{SCRIPT}")
