"""Buses, schedules and a queue: what leads from one thing to another, late, twice and out of order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import msgspec

from lab.cron import next_fire
from lab.simulator.functions import Lambdas
from lab.simulator.kernel import Kernel
from lab.simulator.machines.errors import FunctionError
from lab.simulator.template import DEFAULT_BUS, Queue, Schedule, Stack, Way

SOURCE = "candlefish.control-plane"
# How long things are usually under way, in seconds.
USUAL_DELAY = 0.3
# EventBridge tries a target that does not take an event for hours; the pauses grow.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0


class Post(Protocol):
    """What the weather does to things under way."""

    def delay(self, what: str) -> float:
        """How much longer than usual one is under way, in seconds."""

    def copies(self, what: str) -> int:
        """How often one arrives."""

    def refuses(self, what: str) -> bool:
        """Whether the target does not take it now."""


class DeadLetter(msgspec.Struct, frozen=True):
    """What was tried as often as it may be."""

    at: float
    source: str
    body: Any


class Delivery:
    """Delivers the events of one stack."""

    def __init__(
        self,
        kernel: Kernel,
        stack: Stack,
        post: Post,
        lambdas: Lambdas,
        queue: Messages,
        start: Callable[[str, str, Any], object],
    ) -> None:
        self._kernel, self._stack, self._post = kernel, stack, post
        self._lambdas, self._queue, self._start = lambdas, queue, start
        self._chance = kernel.chance("delivery")
        self._made = 0
        self.dead_letters: list[DeadLetter] = []
        # Told of every event that is put on a bus: its source, its type and its detail.
        self.watchers: list[Callable[[str, str, Any], None]] = []

    def put(self, source: str, kind: str, detail: Mapping[str, Any], bus: str = DEFAULT_BUS) -> None:
        """Put an event on a bus."""
        self._made += 1
        event = {
            "version": "0",
            "id": f"event-{self._made}",
            "detail-type": kind,
            "source": source,
            "account": self._stack.account,
            "time": _iso(self._kernel.now()),
            "region": self._stack.region,
            "resources": [],
            "detail": json.loads(json.dumps(detail)),
        }
        for watch in self.watchers:
            watch(source, kind, event["detail"])
        for rule in self._stack.rules:
            if rule.bus == bus and matches(rule.pattern, event):
                self._send(rule.to, event, rule.name)

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        """`ports.EventPublisher`: on the control plane's own bus."""
        self.put(SOURCE, kind, detail, self._stack.bus)

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """`ports.EventPublisher`."""
        for kind, detail in events:
            self.publish(kind, detail)

    def start_schedules(self) -> None:
        """Let the schedules fire from now on."""
        for schedule in self._stack.schedules:
            # A rate counts from when its rule was made, which is any moment of its period.
            self._plan(schedule, self._kernel.now() - self._chance.uniform(0, 60))

    def lose(self, source: str, body: Any) -> None:
        """Put something in the dead letters."""
        self.dead_letters.append(DeadLetter(self._kernel.now(), source, body))

    def _plan(self, schedule: Schedule, after: float) -> None:
        due = next_fire(schedule.expression, datetime.fromtimestamp(after, UTC))
        if due is not None:
            self._kernel.at(due.timestamp(), partial(self._fire, schedule, due.timestamp()), schedule.name)

    def _fire(self, schedule: Schedule, due: float) -> None:
        self._made += 1
        event: Any = {
            "version": "0",
            "id": f"event-{self._made}",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._stack.account,
            "time": _iso(due),
            "region": self._stack.region,
            "resources": [schedule.name],
            "detail": {},
        }
        self._send(schedule.to, json.loads(schedule.input) if schedule.input else event, schedule.name)
        self._plan(schedule, due)

    def _send(self, way: Way, event: Any, name: str) -> None:
        for _ in range(self._post.copies(name)):
            late = self._chance.expovariate(1 / USUAL_DELAY) + self._post.delay(name)
            self._kernel.later(late, partial(self._arrive, way, event, name), f"deliver {name}")

    def _arrive(self, way: Way, event: Any, name: str, tried: int = 0, since: float = 0.0) -> None:
        now = self._kernel.now()
        since = since or now
        if self._post.refuses(name):
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**tried)
            if tried >= way.retries or now + pause - since > way.event_age:
                self.lose(name, event)
                return
            again = partial(self._arrive, way, event, name, tried + 1, since)
            self._kernel.later(pause, again, f"deliver {name} again")
            return
        service = way.target.split(":")[2]
        if service == "lambda":
            self._lambdas.queue(way.target, event)
        elif service == "sqs":
            self._queue.send([json.dumps(event).encode()])
        elif service == "states":
            self._made += 1
            self._start(way.target, f"{name}-{self._made}", event)
        else:
            raise NotImplementedError(f"the simulator delivers nothing to {way.target}")


class _Message(msgspec.Struct):
    id: str
    body: str
    sent: float
    received: int = 0


class Messages:
    """`signals.ports.SignalQueue`, and what works the queue off: batches, time out of sight, dead letters."""

    def __init__(
        self, kernel: Kernel, queue: Queue, post: Post, lambdas: Lambdas, lose: Callable[[str, Any], None]
    ) -> None:
        self._kernel, self._queue, self._post = kernel, queue, post
        self._lambdas, self._lose = lambdas, lose
        self._chance = kernel.chance("queue")
        self._visible: list[_Message] = []
        self._running = 0
        self._made = 0
        # How many messages were sent and are not done with.
        self.left = 0

    def send(self, messages: Sequence[bytes]) -> None:
        """Put messages on the queue."""
        for body in messages:
            self._made += 1
            message = _Message(f"message-{self._made}", body.decode(), self._kernel.now())
            for _ in range(self._post.copies("queue")):
                self.left += 1
                late = self._chance.expovariate(1 / USUAL_DELAY) + self._post.delay("queue")
                self._show(msgspec.structs.replace(message), late)

    def notify(self, topic: str, message: str) -> None:
        """What SNS sends on when a message is published to a topic that the queue is subscribed to.

        https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
        """
        now = datetime.fromtimestamp(self._kernel.now(), UTC)
        notification = {
            "Type": "Notification",
            "MessageId": f"notification-{self._made + 1}",
            "TopicArn": topic,
            "Message": message,
            "Timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        self.send([json.dumps(notification).encode()])

    def _show(self, message: _Message, after: float) -> None:
        def show() -> None:
            self._visible.append(message)
            self._work()

        self._kernel.later(after, show, "message in sight")

    def _work(self) -> None:
        if not self._visible or self._running >= self._queue.concurrency:
            return
        # A standard queue promises no order.
        self._chance.shuffle(self._visible)
        batch, self._visible = self._visible[: self._queue.batch], self._visible[self._queue.batch :]
        self._running += 1
        self._kernel.spawn(partial(self._handle, batch), "batch")

    def _handle(self, batch: list[_Message]) -> None:
        for message in batch:
            message.received += 1
        records = [
            {
                "messageId": each.id,
                "body": each.body,
                "attributes": {"SentTimestamp": str(int(each.sent * 1000))},
            }
            for each in batch
        ]
        taken = self._kernel.now()
        try:
            answer = self._lambdas.call(self._queue.consumer, {"Records": records})
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        except FunctionError:
            failed = {each.id for each in batch}
        self._running -= 1
        for message in batch:
            if message.id not in failed:
                self.left -= 1
            elif message.received >= self._queue.receives:
                self.left -= 1
                self._lose(self._queue.name, json.loads(message.body))
            else:
                self._show(message, taken + self._queue.visibility - self._kernel.now())
        self._work()


def matches(pattern: Any, value: Any) -> bool:
    """Whether a value is as an event pattern says.

    Raises
    ------
    NotImplementedError
        The pattern has a form that the simulator does not know.
    """
    if isinstance(pattern, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and matches(each, value[name]) for name, each in pattern.items()
        )
    return any(_is(each, value) for each in pattern)


def _is(said: Any, value: Any) -> bool:
    if not isinstance(said, Mapping):
        return bool(said == value)
    ((form, about),) = said.items()
    if form == "prefix":
        return isinstance(value, str) and value.startswith(about)
    if form == "anything-but":
        return value not in (about if isinstance(about, list) else [about])
    raise NotImplementedError(f"an event pattern with {form}")


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
