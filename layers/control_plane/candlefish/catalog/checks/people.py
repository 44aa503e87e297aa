"""People who are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from candlefish.catalog.model import Catalog
from candlefish.catalog.problems import CatalogProblem
from candlefish.requester import UNKNOWN


def identities(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Nobody goes by another's name: four eyes would see double. And nobody is called as who is unknown is."""
    for field in ("github", "aws", "slack", "oidc"):
        seen: dict[str, str] = {}
        for name, person in catalog.people.items():
            named = getattr(person, field)
            for identity in filter(None, [named] if isinstance(named, str) else named):
                if seen.setdefault(identity, name) != name:
                    what = f"{seen[identity]} goes by {identity!r} too"
                    yield CatalogProblem(
                        ("people", name, field), what, "give each person an identity of their own"
                    )
    for name in catalog.people:
        if name == UNKNOWN or ":" in name:
            what = f"{name!r} is no name: a requester that nothing proves is shown as {UNKNOWN}"
            yield CatalogProblem(("people", name), what, "call the person otherwise, without a colon")
