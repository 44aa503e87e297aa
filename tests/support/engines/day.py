"""Executions with chance in them, side by side."""

from __future__ import annotations

import json

from tests.support.engines.language import DONE, states, task
from tests.support.engines.script import Fails, Script
from tests.support.engines.virtual import VirtualEngine


def day(seed: int) -> str:
    """All that there is to tell of them; the same seed tells the same."""
    retry = [{"ErrorEquals": ["E"], "JitterStrategy": "FULL", "MaxAttempts": 5}]
    inner = states(
        "T",
        T=task(
            "f", "{% $uuid() %}", Retry=retry, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "S"}], Next="S"
        ),
        S=DONE,
    )
    machine = states(
        "M",
        M={"Type": "Map", "Items": list(range(6)), "MaxConcurrency": 3, "ItemProcessor": inner, "End": True},
    )
    on = VirtualEngine(Script({"f": [Fails("E"), 1, Fails("E"), Fails("E"), 2, Fails("F"), 3]}), seed=seed)
    arns = [on.start(on.define("m", machine)) for _ in range(3)]
    ends = [on.end(arn) for arn in arns]
    histories = [[*map(tuple, run.history)] for run in on.machines.executions]
    return json.dumps([histories, on.events, on.script.calls, [str(end) for end in ends]])
