"""What a drill that passed measured."""

from __future__ import annotations

from candlefish.backups.record import Drill


def data_age(drill: Drill) -> float:
    """How old the newest heartbeat was when the snapshot was taken, seconds."""
    return max(0.0, drill.snapshot.at - float(drill.evidence["beat_at"]))


def restore_time(drill: Drill) -> float:
    """From the request to restore until the data could be read, seconds."""
    return drill.available_at - drill.restore_asked_at


def measure_drill(drill: Drill) -> dict[str, float]:
    """What a drill that passed measured, seconds."""
    return {"data_age": data_age(drill), "restore_time": restore_time(drill)}
