"""A run's timeline: each entry is kept, and published where it is news."""

from __future__ import annotations

from candlefish.failover.model import FailoverEntry, Run
from candlefish.failover.news import failover_event
from candlefish.failover.ports import FailoverPorts


def write_entry(run: Run, entry: FailoverEntry, ports: FailoverPorts) -> None:
    """Add a line to a run's timeline, and tell the bus of it."""
    ports.runs.append(run, entry)
    if (event := failover_event(run, entry)) is not None:
        ports.events.publish(*event)
