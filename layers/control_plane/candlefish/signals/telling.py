"""Which messages may be sent: one a subject and reason within the cooldown, and not more different ones than are read.

Each message has an item of its own, so that handlers that tell of different things never wait for each other, and the
guard is written for actions alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from candlefish.signals.ports import SignalLog

# More different messages than this within a cooldown are one: nobody reads the twenty-first.
MOST_TOLD = 20
FLOOD = "everything/flood"


def claim_tellings(
    wanted: Iterable[str], owner: str, *, log: SignalLog, cooldown: float, now: float
) -> frozenset[str]:
    """Those of the wanted messages that the owner may send; `FLOOD` among them says that there are more.

    The same owner (a message on the queue) may ask again: it died before it could send. `cooldown` is in seconds.
    """
    until, window = now + cooldown, now // cooldown * cooldown
    granted = set()
    for key in dict.fromkeys(wanted):
        if not log.claim_telling(key, owner, now=now, until=until):
            continue
        if log.count_telling(key, window, until=window + cooldown, most=MOST_TOLD):
            granted.add(key)
            continue
        # It may be told when it gets quieter and it fires again.
        log.claim_telling(key, owner, now=now, until=now)
        if log.claim_telling(FLOOD, owner, now=now, until=until):
            granted.add(FLOOD)
    return frozenset(granted)
