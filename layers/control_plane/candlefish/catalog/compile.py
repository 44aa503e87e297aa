"""From a checked catalog to the JSON that functions read, and to one that runs in compressed time."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.catalog.model import (
    Approve,
    Budget,
    Catalog,
    Duration,
    Hook,
    JudgePolicy,
    Reading,
    Smoke,
    Strategy,
    Watch,
    encode_hook,
)

# What compressed time compresses, and the least that is left of it, in seconds: processes take
# real time to start, people to answer, metrics to arrive.
FLOORS: dict[tuple[type, str], float] = {
    (Watch, "at_most"): 2,
    (Approve, "within"): 15,
    (Smoke, "within"): 10,
    (Hook, "within"): 5,
    (Strategy, "rollback_window"): 2,
    (Strategy, "ready_within"): 20,
    (Strategy, "hold_at_most"): 5,
    (Strategy, "drain_within"): 8,
    (Strategy, "ask_within"): 20,
    (JudgePolicy, "warm_up"): 1,
    (JudgePolicy, "window"): 1,
    (JudgePolicy, "settle"): 1,
    (JudgePolicy, "history"): 30,
    (Reading, "window"): 1,
    (Reading, "settle"): 1,
    (Budget, "lasting"): 1,
}


def compile(catalog: Catalog) -> bytes:
    """The catalog as JSON for `catalog.read`. The same files give the same bytes."""
    return msgspec.json.encode(catalog, enc_hook=encode_hook)


def scaled(catalog: Catalog, factor: float) -> Catalog:
    """The catalog with the durations of strategies and judge policies divided by `factor`.

    No duration falls below its floor, none grows, and none that is 0 changes. A latency budget
    (`slow_over`) is no stretch of the release's time and stays.
    """
    if not factor > 0:
        raise ValueError(f"cannot divide durations by {factor}; give a factor above 0")
    return msgspec.structs.replace(
        catalog,
        strategies={name: _scaled(value, factor) for name, value in catalog.strategies.items()},
        policies={name: _scaled(value, factor) for name, value in catalog.policies.items()},
    )


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_scaled(each, factor) for each in value)
    if isinstance(value, dict):
        return {key: _scaled(each, factor) for key, each in value.items()}
    if not isinstance(value, msgspec.Struct):
        return value
    changed = {}
    for field in value.__struct_fields__:
        now = getattr(value, field)
        floor = FLOORS.get((type(value), field))
        if floor is None or now is None:
            changed[field] = _scaled(now, factor)
        else:
            changed[field] = Duration(min(now, max(now / factor, floor)))
    return msgspec.structs.replace(value, **changed)
