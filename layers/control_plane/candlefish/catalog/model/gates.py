"""What must be known of an image before it may be released."""

from __future__ import annotations

from typing import Annotated

from candlefish.catalog.model.scalars import Duration, HttpsUrl, Model, number, text

Workflow = Annotated[
    str,
    text(r"(\.github/workflows|https:/)/[\w./-]+", "write a path like .github/workflows/build.yml"),
]
Branch = Annotated[str, text(r"(?!refs/)[\w./-]+", "write a branch's name like main, without refs/heads/")]


class Allowance(Model, frozen=True):
    """A vulnerability that may be there for a while."""

    # Like CVE-2026-12345.
    id: str
    # The last day that it may be there, like 2026-12-31.
    until: Annotated[str, text(r"\d{4}-\d{2}-\d{2}", "write a date like 2026-12-31")]
    # Why it may.
    reason: str


class Gates(Model, frozen=True):
    """What must be known of an image before it may be released. See docs/security.md."""

    # Every one must be in the manifest list.
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    # Repositories whose workflows may have built and scanned it, like https://github.com/example-org/shop; any when empty.
    sources: tuple[HttpsUrl, ...] = ()
    # Workflows that may have, like .github/workflows/build.yml, or a whole https:// address of one in another repository; any when empty.
    workflows: tuple[Workflow, ...] = ()
    # Branches from which they may have, like main; any when empty, and tags too.
    branches: tuple[Branch, ...] = ()
    # An older scan does not count.
    scan_age: Duration = Duration(7 * 86400)
    # Critical vulnerabilities that may be there beside the allowed ones.
    critical: Annotated[int, number("write 0 or more", 0)] = 0
    # High ones.
    high: Annotated[int, number("write 0 or more", 0)] = 0
    # Each with a reason and a date.
    allow: tuple[Allowance, ...] = ()
