"""What a lab is made of stays until it ends: the garbage collector need not look at it again and again.

A collection holds everything in the process still, and the longer the more there is: with the emulators, a deployed
template and the API models in memory it takes half a second, two on a slow machine.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """What is made within is left alone from then on; nothing is collected meanwhile. The outermost one counts."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def no_longer() -> None:
    """What lasted has ended, and is collected as anything else."""
    gc.unfreeze()


# At the end of the process the system takes all of it at once, where a collection would take seconds.
atexit.register(gc.freeze)
