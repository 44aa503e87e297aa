"""Jobs: what runs once in a release, beside the service, from the release's own image."""

from __future__ import annotations

from typing import Annotated, Literal

from candlefish.catalog.model.scalars import Duration, EnvName, Model, text
from candlefish.catalog.model.sizes import Resources

# A Job's name stands in the names of its Pods, after the service's.
JobName = Annotated[
    str, text("[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?", "write a name like migrate, at most 20 characters")
]


class Job(Model, frozen=True):
    """What a release runs once and waits for: a migration, a warm-up. It never runs twice in one release."""

    name: JobName
    # Before anything of the version runs, or after its last step, with all traffic on it.
    when: Literal["before", "after"] = "before"
    # What it runs in the release's image; the image's own entry point when empty.
    command: tuple[str, ...] = ()
    # Words behind the command, or behind the entry point.
    args: tuple[str, ...] = ()
    # It must have ended well by then; it is stopped when it has not, and the release ends.
    within: Duration = Duration(600)
    # Added to the service's; this one wins.
    env: dict[EnvName, str] = {}
    # Instead of the service's.
    resources: Resources | None = None
