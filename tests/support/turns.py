"""When a worker of `make test-lab` begins with its next lab.

Labs mostly wait, so on a quick machine several share two processors and none is late. On a slow one they would wait for
each other instead of for time to pass, all of them late at once. So two always go on, and another begins only when
processors had time to spare in the minute since the last one began.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.fairness import pressure
from lab.looks import looks

ALWAYS = 2
# Percent of the time in which somebody waits for a processor.
BUSY = 70.0
# So many seconds tell how busy a lab keeps the machine.
SETTLES = 60.0
_PATIENCE = 24 * 3600.0


@contextmanager
def turn(
    places: Path,
    busy: Callable[[], float] = pressure,
    *,
    settles: float = SETTLES,
    every: float = 2.0,
    patience: float = _PATIENCE,
) -> Iterator[bool]:
    """Wait until a lab may begin; whether it has one of the two places, which it keeps until the end.

    `places` is a folder that the workers of one run share.

    Raises
    ------
    TimeoutError
        It was nobody's turn for so many seconds.
    """
    places.mkdir(parents=True, exist_ok=True)
    last = places / "last"
    os.close(os.open(last, os.O_CREAT))
    for _ in looks(patience, every):
        for number in range(ALWAYS):
            descriptor = os.open(places / str(number), os.O_CREAT | os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                last.touch()
                yield True
            finally:
                os.close(descriptor)
            return
        if time.time() - last.stat().st_mtime >= settles and busy() < BUSY:
            last.touch()
            yield False
            return
    raise TimeoutError(
        f"no lab could begin for {patience:.0f} s; processors are busy {busy():.0f}% of the time"
    )
