"""CronJobs: what runs by the clock beside a service, from the image of its stable version."""

from __future__ import annotations

from typing import Annotated

from candlefish.catalog.model.jobs import JobName
from candlefish.catalog.model.scalars import Duration, EnvName, Model, text
from candlefish.catalog.model.sizes import Resources

# What one means is checked beside others (`catalog.crontab`).
Crontab = Annotated[str, text(r"@[a-z]+|\S+(?: \S+){4}", "write five fields like 30 3 * * *, or @daily")]
Zone = Annotated[str, text(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", "write one like Europe/Berlin")]


class Cron(Model, frozen=True):
    """What runs by the clock: one CronJob a service, not one a slot. Two runs of it never overlap."""

    name: JobName
    # When it runs, as crontab says it.
    schedule: Crontab
    # In which the schedule is meant.
    timezone: Zone = "UTC"
    # What it runs in the stable version's image; the image's own entry point when empty.
    command: tuple[str, ...] = ()
    # Words behind the command, or behind the entry point.
    args: tuple[str, ...] = ()
    # A run that takes longer is stopped.
    within: Duration = Duration(3600)
    # Added to the service's; this one wins.
    env: dict[EnvName, str] = {}
    # Instead of the service's.
    resources: Resources | None = None
