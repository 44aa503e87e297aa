"""Invariant I8: a signal acts at most once per cooldown, however often and in whatever order it comes.

Handlers run at the same time, die half-way and are given their message again; alerts flap, are
doubled by two Alertmanagers, arrive late and in any order.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from candlefish.errors import Unavailable
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Alert, Delivery
from tests.support.catalogs import catalog
from tests.support.signal_world import World, alert, delivery

SERVICES = ("backend-api", "website", "storefront", "api-gateway", "careers")
POLICY = catalog().responses.guard
NAMES = {"ServiceDown": "rollback", "ErrorRateCritical": "rollback", "LatencyHigh": "hold"}


class Crash(Exception):
    """The function was killed."""


class Signals(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        for service in SERVICES:
            self.world.releasing(service, since=86400)
        self.sent: list[tuple[Delivery, str]] = []
        self.firing: dict[tuple[str, str], Alert] = {}
        self.delivered = 0
        self.starts: list[tuple[str, str, float]] = []
        start = self.world.executions.start

        def started(machine: str, name: str, payload: dict[str, object]) -> str:
            known = len(self.world.executions.started)
            arn = start(machine, name, payload)
            if len(self.world.executions.started) > known:
                self.starts.append((str(payload["subject"]), str(payload["action"]), self.world.clock()))
            return arn

        self.world.executions.start = started  # type: ignore[method-assign,assignment]

    @initialize(service=st.sampled_from(SERVICES))
    def begin(self, service: str) -> None:
        self.fire(service, "ServiceDown", 1)

    def _take(self, what: Delivery, message: str) -> None:
        handle_signal(what, message=message, ports=self.world.ports)
        self.delivered += len(what.alerts)

    def _send(self, *alerts: Alert, copies: int = 1) -> None:
        for _ in range(copies):
            message = (delivery(*alerts, at=self.world.clock()), f"m{len(self.sent)}")
            self.sent.append(message)
            self._take(*message)

    @rule(service=st.sampled_from(SERVICES), name=st.sampled_from(sorted(NAMES)), copies=st.integers(1, 3))
    def fire(self, service: str, name: str, copies: int) -> None:
        """A new firing, from up to three Alertmanagers."""
        new = alert(name, at=self.world.clock(), service=service)
        self.firing[service, name] = new
        self._send(new, copies=copies)

    @precondition(lambda self: self.firing)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.firing)))
        old = self.firing.pop(key)
        now = self.world.clock()
        self._send(msgspec.structs.replace(old, status="resolved", as_of=max(now, old.started_at)))

    @precondition(lambda self: self.firing)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """`repeat_interval`: what still fires is sent again, all of it in one group."""
        keys = data.draw(st.lists(st.sampled_from(sorted(self.firing)), min_size=1, max_size=3, unique=True))
        self._send(*(self.firing[key] for key in keys))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def redeliver(self, data: st.DataObject) -> None:
        """SQS delivers any old message once more."""
        self._take(*data.draw(st.sampled_from(self.sent)))

    @rule(seconds=st.sampled_from((1, 30, 299, 601, 901, 1801)))
    def wait(self, seconds: int) -> None:
        self.world.clock.forward(seconds)

    @rule(service=st.sampled_from(SERVICES), other=st.sampled_from(SERVICES))
    def race(self, service: str, other: str) -> None:
        """Another handler decides and claims between the read and the write of this one."""
        first = alert("ServiceDown", at=self.world.clock(), service=service, fingerprint=f"race-a-{service}")
        second = alert(
            "ErrorRateCritical", at=self.world.clock(), service=other, fingerprint=f"race-b-{other}"
        )

        def rival() -> None:
            self.world.guards.between = lambda: None
            self._send(second)

        self.world.guards.between = rival
        self._send(first)
        self.world.guards.between = lambda: None

    @rule(service=st.sampled_from(SERVICES), where=st.sampled_from(("start", "publish", "append")))
    def crash(self, service: str, where: str) -> None:
        """A handler dies before it starts, tells or writes down; its message comes again."""
        dying = alert("ServiceDown", at=self.world.clock(), service=service)
        message = (delivery(dying, at=self.world.clock()), f"m{len(self.sent)}")
        owner = {"start": self.world.executions, "publish": self.world.bus, "append": self.world.log}[where]
        original = getattr(owner, where)

        def die(*args: object, **kwargs: object) -> None:
            raise Crash

        setattr(owner, where, die)
        try:
            handle_signal(message[0], message=message[1], ports=self.world.ports)
            self.delivered += 1
        except Crash:
            pass
        finally:
            setattr(owner, where, original)
        self.sent.append(message)
        self._take(*message)

    @rule(service=st.sampled_from(SERVICES))
    def fire_while_switched_off(self, service: str) -> None:
        now, before = self.world.clock(), len(self.starts)
        self.world.switchboard.tag = "off"
        self._send(alert("ServiceDown", at=now, service=service))
        assert len(self.starts) == before
        self.world.switchboard.tag = "on"

    @invariant()
    def at_most_one_action_per_service_and_cooldown(self) -> None:
        for service in SERVICES:
            for action in ("rollback", "hold"):
                times = sorted(at for s, a, at in self.starts if (s, a) == (service, action))
                cooldown = getattr(POLICY.cooldown, action)
                assert all(later - earlier >= cooldown for earlier, later in pairwise(times)), times

    @invariant()
    def the_budget_is_kept(self) -> None:
        times = sorted(at for _, action, at in self.starts if action == "rollback")
        for at in times:
            assert sum(at <= other < at + POLICY.budget_window for other in times) <= POLICY.budget

    @invariant()
    def nothing_is_lost_and_every_refusal_has_its_reason(self) -> None:
        assert sum(line.count for line in self.world.log.lines) == self.delivered
        assert all(line.decision.reason for line in self.world.log.lines)
        assert all(
            line.decision.gate or line.response or line.decision.action in ("join", "lift")
            for line in self.world.log.lines
            if line.signal.alert.status == "firing"
        )


TestSignals = Signals.TestCase
TestSignals.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


def test_a_handler_that_cannot_read_the_tag_does_nothing_and_gets_its_message_again() -> None:
    world = World().releasing()
    world.switchboard.broken = True
    what = delivery(alert(at=world.clock() - 1), at=world.clock())
    for _ in range(2):
        try:
            handle_signal(what, message="m", ports=world.ports)
            raise AssertionError("it acted without knowing whether it may")
        except Unavailable:
            assert world.executions.started == [] and world.log.lines == []
    world.switchboard.broken = False
    handle_signal(what, message="m", ports=world.ports)
    assert [machine for machine, _, _ in world.executions.started] == ["respond"]
