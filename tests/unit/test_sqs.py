"""Subjects of a batch: each once, and which messages come again when."""

from __future__ import annotations

from candlefish.errors import InvalidInput, Unavailable, UnknownService
from candlefish.sqs import Attributes, Batch, Message, each_subject


class Worker:
    """Handles subjects as it is told: an error, or after how many seconds there is more to do."""

    def __init__(self, **told: float | Exception) -> None:
        self.told = told
        self.handled: list[tuple[str, float]] = []
        self.later: list[tuple[str, float]] = []

    def __call__(self, subject: str, oldest: float) -> tuple[object, float]:
        self.handled.append((subject, oldest))
        outcome = self.told.get(subject, 0.0)
        if isinstance(outcome, Exception):
            raise outcome
        return "done", outcome

    def put_off(self, message: Message, seconds: float) -> None:
        self.later.append((message.message_id, seconds))

    def take(self, *messages: tuple[str, str, int]) -> list[str]:
        """Messages as (id, subject, sent in ms); the ids of those that go back."""
        batch = Batch([Message(id, subject, Attributes(str(sent))) for id, subject, sent in messages])
        failures = each_subject(batch, lambda message: message.body, self, self.put_off)
        return [each.item_identifier for each in failures.batch_item_failures]


def test_a_subject_is_handled_once_by_its_oldest_message() -> None:
    worker = Worker()
    assert worker.take(("1", "a", 5000), ("2", "b", 4000), ("3", "a", 3000)) == []
    assert worker.handled == [("a", 3.0), ("b", 4.0)]


def test_one_message_waits_for_what_is_left_and_the_others_are_done() -> None:
    worker = Worker(a=37.0)
    assert worker.take(("1", "a", 5000), ("2", "a", 3000), ("3", "b", 1000)) == ["2"]
    assert worker.later == [("2", 37.0)]


def test_what_fails_goes_back_and_takes_no_other_with_it() -> None:
    worker = Worker(
        a=Unavailable("the table is away"), b=KeyError("a bug"), c=InvalidInput("no"), d=UnknownService("no")
    )
    assert worker.take(("1", "a", 1), ("2", "b", 1), ("3", "c", 1), ("4", "d", 1), ("5", "e", 1)) == [
        "1",
        "2",
    ]
    assert worker.later == []
