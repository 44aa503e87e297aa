"""The behaviour behind moto's answers, one module a service.

moto answers the AWS APIs; these modules add what happens behind them:
state machines that run JSONata and start each other, events that are delivered, alarms that
evaluate, targets whose health is real. Each module has one `install` that `lab.aws.server` calls when a
lab starts; `restore` undoes them all when it stops.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

# Thousands of machine images in every region, and nothing here starts a machine from one.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

# The account that moto puts everything in.
ACCOUNT = "123456789012"

_MISSING = object()
_replaced: list[tuple[Any, str, Any]] = []


def replace(owner: Any, name: str, replacement: Any) -> Any:
    """Put `replacement` in the place of an attribute of moto and return the original.

    Raises
    ------
    AttributeError
        When moto no longer has the attribute: the lab was written against another version.
    """
    original = getattr(owner, name)
    # The raw attribute: a class method must be put back as one.
    _replaced.append((owner, name, vars(owner).get(name, _MISSING)))
    setattr(owner, name, replacement)
    return original


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put what `make` makes of an attribute of moto in its place."""
    replace(owner, name, make(getattr(owner, name)))


def restore() -> None:
    """Undo every replacement, the last one first."""
    while _replaced:
        owner, name, original = _replaced.pop()
        if original is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, original)
