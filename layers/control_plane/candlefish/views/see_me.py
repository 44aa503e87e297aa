"""See who one is to the control plane, and what one may do."""

from __future__ import annotations

from candlefish.views.model import MeView, Reader, Who
from candlefish.views.people import ROLES
from candlefish.views.ports import Looking


def see_me(reader: Reader, *, looking: Looking) -> MeView:
    """Who reads, as the credential says."""
    role = next((role for role in reversed(ROLES) if role in reader.roles), "")
    person = looking.catalog.people.get(reader.name)
    may = {
        "approver": "may approve",
        "operator": "may release, pause and roll back",
        "reader": "may look",
    }.get(role, "may do nothing here")
    name = reader.name or reader.principal
    says = f"{name} {may}"
    if role == "approver" and person is not None and not person.approver:
        says = f"{name} may release, pause and roll back; the catalog says no approver"
    if not reader.name:
        says = f"{says}; the catalog knows nobody by this credential (people.yaml), so nothing can be done with it"
    return MeView(Who(name, role), reader.principal, reader.roles, says)
