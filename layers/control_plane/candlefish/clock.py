"""What moment a local time means. Schedules, overrides and freezes all ask here."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo


@lru_cache(maxsize=1024)
def moment_of(naive: datetime, zone: ZoneInfo, *, fold: Literal[0, 1] = 0) -> float:
    """When the zone's clock shows a local time, in epoch seconds.

    A time that it shows twice is the first or, with `fold`, the second. One that it skips is the moment of the jump:
    nobody's clock ever shows it, and nothing that begins or ends then is an hour off.
    """
    early, late = (naive.replace(tzinfo=zone, fold=f).timestamp() for f in (0, 1))
    if early <= late:
        return (early, late)[fold]
    # The clock skips this time (PEP 495: fold 0 then counts from before the jump and comes out later).
    # Find the jump between the two.
    before = datetime.fromtimestamp(late, zone).utcoffset()
    low, high = int(late), int(early)
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return float(high)
