"""People: who may ask and approve."""

from __future__ import annotations

from typing import Annotated

from candlefish.catalog.model.scalars import Model, text

Principal = Annotated[
    str,
    text(
        r"user/[\w+=,.@/-]+|assumed-role/AWSReservedSSO_[\w+=,.@-]+_\*/[\w+=,.@-]+|assumed-role/[\w+=,.@-]+/[\w+=,.@-]+",
        "write what follows the account in the ARN that `aws sts get-caller-identity` prints, like "
        "user/lead or assumed-role/AWSReservedSSO_Releases_*/lead@example.com",
    ),
]


class Person(Model, frozen=True):
    """Somebody who can ask for and approve releases, and the names they go by."""

    name: str
    # Login on GitHub.
    github: str = ""
    # IAM principals of the environment's account: users, and sessions of roles that fix the session's name.
    aws: tuple[Principal, ...] = ()
    # The member id, like U01ABCDEF.
    slack: str = ""
    # What the console's issuer calls them in the claim that `console.person` names: `sub`, if nothing else is said.
    oidc: str = ""
    # Whether this person may approve.
    approver: bool = False
