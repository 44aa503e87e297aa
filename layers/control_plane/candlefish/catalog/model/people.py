"""People: who may ask and approve."""

from __future__ import annotations

from candlefish.catalog.model.scalars import Model


class Person(Model, frozen=True):
    """Somebody who can ask for and approve releases, and the names they go by."""

    name: str
    # Login on GitHub.
    github: str = ""
    # The IAM user's or role session's name.
    aws: str = ""
    # The member id, like U01ABCDEF.
    slack: str = ""
    # Whether this person may approve.
    approver: bool = False
