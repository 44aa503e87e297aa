"""What a person must do is told once, and again as long as it lasts; never every minute, never only once."""

from __future__ import annotations

# What lasts is told again after this many seconds.
AGAIN = 3600.0


def due(told_at: float, now: float, again: float = AGAIN) -> bool:
    """Whether people are to be told now of something that lasts.

    Parameters
    ----------
    told_at
        When they were last told, epoch seconds; 0 for never. It stands beside what lasts, in the same record, is
        written when the telling was, and goes with it when it is over.
    now
        Epoch seconds.
    again
        Seconds until they are told again.
    """
    return told_at <= 0 or now - told_at >= again
