"""What the lab changes in moto, one module a service.

moto answers the AWS APIs; these modules add the behaviour behind them that the product relies on:
state machines that run JSONata and start each other, events that are delivered, alarms that
evaluate, targets whose health is real. Each module has one `install` function that
`lab.aws` calls once per process.
"""

from __future__ import annotations

from typing import Any

# The account that moto puts everything in.
ACCOUNT = "123456789012"


def replace(owner: Any, name: str, replacement: Any) -> Any:
    """Put `replacement` in the place of an attribute of moto and return the original.

    Raises
    ------
    AttributeError
        When moto no longer has the attribute: the lab was written against another version.
    """
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    return original
