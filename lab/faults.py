"""Faults on request, at every boundary of the lab.

A fault names a boundary and what it matches there; whoever serves that boundary asks `take` once
per request and does what the fault it gets says. Boundaries and what `service` and `operation` are:

| boundary     | service                  | operation                    | kinds                            |
|--------------|--------------------------|------------------------------|----------------------------------|
| `aws`        | botocore name (`elbv2`)  | API operation (`ModifyRule`) | all but `crash`, `duplicate`     |
| `kubernetes` | resource (`deployments`) | verb (`get`, `patch`, ...)   | up to `lost_answer`              |
| `function`   | function name            | `Invoke`                     | `throttle` to `timeout`, `crash` |
| `events`     | `lambda`, `states`, ...  | rule name                    | `error`, `latency`, `duplicate`  |

`service`, `operation` and `caller` are shell patterns. `caller` is the name of the function or person
that asks, where the boundary knows it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

Kind = Literal[
    "throttle",  # the boundary's own "slow down" answer
    "error",  # a 5xx answer, or `status`
    "latency",  # answer `seconds` late
    "timeout",  # do nothing for `seconds`, then drop the connection
    "reset",  # reset the connection; nothing was done
    "lost_answer",  # do it, then reset the connection
    "kill_caller",  # kill the calling function's process; nothing was done
    "kill_caller_after",  # do it, then kill the calling function's process
    "crash",  # the function's process dies `seconds` into the invocation
    "duplicate",  # deliver twice
]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One rule; `hits` counts how often it struck."""

    boundary: Literal["aws", "kubernetes", "function", "events"]
    kind: Kind
    service: str = "*"
    operation: str = "*"
    caller: str = "*"
    # Strike this often, then never again; None strikes until removed.
    count: int | None = 1
    # Let this many matching requests pass first.
    skip: int = 0
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 500
    id: str = ""
    hits: int = 0


class Faults:
    """The faults in force. Thread-safe."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._random = random.Random(seed)
        self._made = 0

    def add(self, fault: Fault) -> str:
        """Put a fault in force and return its id."""
        with self._lock:
            self._made += 1
            fault.id = fault.id or f"fault-{self._made}"
            self._faults[fault.id] = fault
            return fault.id

    def remove(self, fault_id: str) -> None:
        """Take a fault out of force; unknown ids are ignored."""
        with self._lock:
            self._faults.pop(fault_id, None)

    def clear(self) -> None:
        """Take every fault out of force."""
        with self._lock:
            self._faults.clear()

    def list(self) -> Iterable[Fault]:
        """The faults in force and those that are spent, with their hits."""
        with self._lock:
            return [msgspec.structs.replace(fault) for fault in self._faults.values()]

    def take(self, boundary: str, service: str, operation: str, caller: str = "") -> Fault | None:
        """The first fault that strikes this request, or None."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults.values():
                if not _matches(fault, boundary, service, operation, caller):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.count is not None and fault.hits >= fault.count:
                    continue
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                fault.hits += 1
                return msgspec.structs.replace(fault)
        return None


def _matches(fault: Fault, boundary: str, service: str, operation: str, caller: str) -> bool:
    return (
        fault.boundary == boundary
        and fnmatchcase(service, fault.service)
        and fnmatchcase(operation, fault.operation)
        and fnmatchcase(caller, fault.caller)
    )


def parse(body: bytes | dict[str, Any]) -> Fault:
    """Read a fault from JSON or a mapping.

    Raises
    ------
    msgspec.ValidationError
        When a field is unknown or wrong.
    """
    if isinstance(body, bytes):
        return msgspec.json.decode(body, type=Fault)
    return msgspec.convert(body, Fault)
