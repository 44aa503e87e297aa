"""Where windows come from, as told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from candlefish.analysis.model import Arm, MetricTarget, Survey, Window
from candlefish.errors import Unavailable


class FakeWindows:
    """`analysis.ports.WindowSource`: knows all windows, or the same counts for every one, and shows what has settled."""

    def __init__(
        self, known: Iterable[Window] = (), *, always: tuple[Arm, Arm] | None = None, down: bool = False
    ) -> None:
        self.known = list(known)
        self.always = always
        self.down = down
        # The load balancer's own errors a second from a time on; None: nobody knows them.
        self.own: dict[float, float] | None = None
        # What it can tell apart.
        self.surveyed = Survey()
        # What it fails with when it is asked for windows; a bug of ours, say.
        self.broken: Exception | None = None
        self.asked: list[tuple[float, float]] = []
        self.aimed: list[MetricTarget] = []

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        if self.down:
            raise Unavailable("the store is down")
        if self.broken:
            raise self.broken
        self.asked.append((since, until))
        self.aimed.append(target)
        known = list(self._alike(target, since, until)) if self.always else self.known
        shown = [w for w in known if w.start >= since and w.end + target.settle <= until]
        ever = {name for w in known for arm in (w.baseline, w.canary) for name in arm.counters}
        never = tuple(name for name in target.counters if name not in ever)
        return [msgspec.structs.replace(w, absent=(*w.absent, *never)) if never else w for w in shown]

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        if self.down:
            raise Unavailable("the store is down")
        return self.surveyed

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        if self.down:
            raise Unavailable("the store is down")
        if self.own is None:
            return None
        edges = sorted({since, until, *(at for at in self.own if since < at < until)})
        rates = [max((at, rate) for at, rate in self.own.items() if at <= edge)[1] for edge in edges[:-1]]
        return sum(rate * (end - start) for rate, start, end in zip(rates, edges, edges[1:], strict=False))

    def _alike(self, target: MetricTarget, since: float, until: float) -> Iterable[Window]:
        assert self.always is not None
        start = -(-since // target.window) * target.window
        while start < until:
            yield Window(start, start + target.window, *self.always)
            start += target.window
