"""What is billed, counted while the real machines and functions run in the simulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.simulator.machines import Execution
from lab.simulator.site import Site
from tools.lint_template import FUNCTION, Template

# Assumed: seconds that a warm function takes, most of them waiting for AWS, and bytes that it logs, with Lambda's own lines.
SECONDS, LOGGED = 0.25, 1500
# Assumed: one item of the table, in KB; records are smaller, timelines' entries much smaller.
ITEM_KB = 2
# X-Ray's default rule: the first request of a second and 5% of the others. Ours come one by one.
SAMPLED = 1.0
# What Lambda's pollers ask an idle queue in a second: five of them, which wait 20 s for an answer.
POLLS = 5 / 20

# Ports that are kept in the table, by what bootstrap calls them.
TABLE = frozenset(
    [
        "records",
        "journal_store",
        "approvals",
        "nonces",
        "requesters",
        "calibrations",
        "judgements",
        "guards",
        "log",
        "ledger",
        "store",
        "bills",
        "runs",
        "stable",
        "drills",
    ]
)
# What their methods ask of DynamoDB: reads and writes of one item.
BOTH, READ, WRITE = (1, 1), (1, 0), (0, 1)
METHODS = {
    "update": BOTH, "get": READ, "read": READ, "all": READ, "entries": READ, "recent": READ, "current": READ,
    "find": READ, "token": READ, "asked": READ, "known": READ, "seen": READ, "newest": READ, "unfinished": READ, "latest": READ,
    "append": WRITE, "open": (0, 2), "set_status": WRITE, "ask": WRITE, "answer": WRITE, "put": WRITE,
    "write": WRITE, "remember": WRITE, "first": WRITE, "claim": WRITE, "mark": WRITE, "release": WRITE,
    "note": WRITE, "keep": WRITE, "save": WRITE, "add": WRITE, "advance": WRITE,
}  # fmt: skip


# So many statistics of one metric are billed as one in a GetMetricData, says aws.amazon.com/cloudwatch/pricing.
STATISTICS = 5


def billed(queries: list[dict[str, Any]]) -> int:
    """How many metrics AWS bills for the queries of one GetMetricData."""
    asked = Counter(repr((each["MetricStat"]["Metric"], each["MetricStat"]["Period"])) for each in queries)
    return sum(-(-number // STATISTICS) for number in asked.values())


# What Step Functions bills of an execution's history.
INTO = ("entered", "retried")


class Meter:
    """Counts, from when it is made. `machines`: whose executions are counted; empty for all that begin meanwhile."""

    def __init__(self, site: Site, template: Template, machines: tuple[str, ...]) -> None:
        self._site, self._machines = site, machines
        self._memory = {
            _short(logical): properties.get("MemorySize", template.shared.get("MemorySize", 128))
            for logical, properties in template.of(FUNCTION)
        }
        self.counts: Counter[str] = Counter()
        # Transitions into each state, retries too, by machine and state; and history events of the longest execution.
        self.states: Counter[tuple[str, str]] = Counter()
        self.longest = 0
        self.functions: Counter[str] = Counter()
        self._before = len(site.machines.executions) if not machines else 0

    def invoked(self, function: str) -> None:
        self.functions[function] += 1
        self.counts["invocations"] += 1
        self.counts["gb_seconds"] += self._memory[function] / 1024 * SECONDS
        self.counts["log_gb"] += LOGGED / 1e9

    def called(self, function: str, port: str, method: str, args: tuple[Any, ...]) -> None:
        if port == "bus":
            self.counts["events"] += len(args[0]) if method == "publish_all" and args else 1
        if port not in TABLE:
            return
        if method not in METHODS:
            raise LookupError(f"{port}.{method}: say in {__name__} what it asks of DynamoDB")
        reads, writes = METHODS[method]
        if method == "all":
            # A query that is eventually consistent: half a unit for 4 KB.
            self.counts["reads"] += len(self._site.ports["records"].stored) * ITEM_KB / 8
        self.counts["reads"] += reads
        self.counts["writes"] += writes * ITEM_KB

    def asked(self, queries: int) -> None:
        self.counts["metrics"] += queries

    def end(self) -> Meter:
        """Count what executions came to: all that began since, or the newest of each machine."""
        runs = self._site.machines.executions[self._before :]
        if self._machines:
            newest = {machine_of(run): run for run in runs}
            runs = [newest[name] for name in self._machines]
        for run in runs:
            self.longest = max(self.longest, run.events)
            self.states.update(
                (machine_of(run), moment.state) for moment in run.history if moment.kind in INTO
            )
        # And one to each end.
        self.counts["transitions"] = sum(self.states.values()) + len(runs)
        self.counts["traces"] = round(len(runs) * SAMPLED)
        return self


def machine_of(run: Execution) -> str:
    """The short name of its machine."""
    return run.machine.name.rpartition("-")[2]


def _short(logical: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in logical.removesuffix("Function")).lstrip(
        "_"
    )


@contextmanager
def metered(site: Site, template: Template, *machines: str) -> Iterator[Meter]:
    """Count what happens inside; the executions that began inside are to have ended."""
    meter = Meter(site, template, machines)
    ask = site.ground.metrics.get_metric_data

    def counting(**request: Any) -> dict[str, Any]:
        meter.asked(billed(request["MetricDataQueries"]))
        return ask(**request)

    site.ground.metrics.get_metric_data = counting  # type: ignore[method-assign]
    site.lambdas.before.append(meter.invoked)
    site.boundary.watchers.append(meter.called)
    try:
        yield meter
    finally:
        site.lambdas.before.remove(meter.invoked)
        site.boundary.watchers.remove(meter.called)
        site.ground.metrics.get_metric_data = ask  # type: ignore[method-assign]
        meter.end()
