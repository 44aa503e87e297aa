"""People who are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from candlefish.catalog.model import Catalog
from candlefish.catalog.problems import CatalogProblem


def identities(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Nobody goes by another's name: four eyes would see double."""
    for field in ("github", "aws", "slack"):
        seen: dict[str, str] = {}
        for name, person in catalog.people.items():
            identity = getattr(person, field)
            if identity and identity in seen:
                what = f"{seen[identity]} goes by {identity!r} too"
                yield CatalogProblem(
                    ("people", name, field), what, "give each person an identity of their own"
                )
            seen.setdefault(identity, name)
