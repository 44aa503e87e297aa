"""A console that somebody can use."""

from __future__ import annotations

from collections.abc import Iterator

from candlefish.catalog.model import ANYBODY, Catalog
from candlefish.catalog.problems import CatalogProblem


def consoles(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Whoever signs in has a role, nobody acts for everybody, and a login is asked for."""
    for name, environment in catalog.environments.items():
        if (found := environment.console) is None:
            continue
        here = ("environments", name, "console")
        if not found.issuer:
            yield CatalogProblem(
                (*here, "issuer"), "nobody signs people in", "write the issuer's https:// address"
            )
        if not (found.reader or found.operator or found.approver):
            what = f"nobody has a role: whoever signs in at {found.issuer} is refused"
            yield CatalogProblem(here, what, 'name groups, like reader: ["*"] and operator: [releases]')
        for role in ("operator", "approver"):
            if ANYBODY in getattr(found, role):
                what = f"everybody whom {found.issuer} signs in would be {role}"
                yield CatalogProblem((*here, role), what, "name the groups that may")
        if "openid" not in found.scopes:
            yield CatalogProblem(
                (*here, "scopes"), "openid is not asked for", "add openid: without it nobody signs in"
            )
        acts = found.operator or found.approver
        if acts and not any(person.oidc for person in catalog.people.values()):
            what = "nobody in people.yaml has an oidc name, so nobody can act there"
            yield CatalogProblem(here, what, f"write oidc: of people, the {found.person} of their tokens")
