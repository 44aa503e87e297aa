"""Who somebody is to whoever reads, and what they may do: names of the catalog, never principals (pure)."""

from __future__ import annotations

from candlefish.bounds import LONGEST_BY, fit_line
from candlefish.catalog.model import Catalog, Person
from candlefish.catalog.people import person_of
from candlefish.views.model import Reader, Role, Who

# In their order: each may what those before it may.
NOBODY = "the catalog knows nobody by your credential (people.yaml)"
ROLES: tuple[Role, ...] = ("reader", "operator", "approver")


def who_is(principal: str, catalog: Catalog, environment: str = "") -> Who:
    """Whoever did something: a person by the catalog's name, or what is known of them, as it came."""
    declared = catalog.environments.get(environment)
    person = person_of(principal, catalog.people, declared.account if declared else "")
    if person is None:
        return Who(fit_line(principal, LONGEST_BY))
    return named(person)


def named(person: Person) -> Who:
    """A person of the catalog."""
    return Who(person.name, "approver" if person.approver else "operator")


def approvers(catalog: Catalog) -> tuple[Person, ...]:
    """Who may approve at all, by name."""
    return tuple(person for _, person in sorted(catalog.people.items()) if person.approver)


def everybody(catalog: Catalog) -> tuple[Who, ...]:
    """Everybody that the catalog has, by name."""
    return tuple(named(person) for _, person in sorted(catalog.people.items()))


def lacks(reader: Reader, role: Role) -> str:
    """Why a reader may not do what a role may; empty when they may."""
    if role in reader.roles:
        return ""
    if not reader.name:
        return NOBODY
    return f"{reader.name} is no {role}; ask somebody who is"
