"""What SQS hands to a function, and which of its messages go back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from candlefish.bounds import Milliseconds
from candlefish.errors import ControlPlaneError, InvalidInput, UnknownService
from candlefish.telemetry import logger


class Attributes(msgspec.Struct, frozen=True, rename="pascal"):
    # Epoch milliseconds, as text.
    sent_timestamp: Milliseconds


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """One message of a queue."""

    message_id: str
    body: str
    attributes: Attributes
    # By which a message that was received is put off or deleted.
    receipt_handle: str = ""

    @property
    def sent(self) -> float:
        """When it was sent, epoch seconds."""
        return float(self.attributes.sent_timestamp) / 1000


class Batch(msgspec.Struct, frozen=True, rename="pascal"):
    """Some messages of a queue."""

    records: list[Message]


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    item_identifier: str


class Failures(msgspec.Struct, frozen=True, rename="camel"):
    """The messages that go back to the queue."""

    batch_item_failures: list[Failure]


def each_message(batch: Batch, handle: Callable[[Message], Iterable[object]]) -> Failures:
    """Handle one message after the other and log what came of each; those that fail go back, the others do not."""
    failed = []
    for message in batch.records:
        try:
            for line in handle(message):
                logger.info("%s", line)
        except ControlPlaneError as error:
            logger.warning("message %s goes back: %s: %s", message.message_id, type(error).__name__, error)
            failed.append(Failure(message.message_id))
        except Exception:  # noqa: BLE001 - one message that trips a bug must not take others with it
            logger.exception("message %s goes back: this is a bug", message.message_id)
            failed.append(Failure(message.message_id))
    return Failures(failed)


def each_subject(
    batch: Batch,
    subject: Callable[[Message], str],
    handle: Callable[[str, float], tuple[object, float]],
    put_off: Callable[[Message, float], None],
) -> Failures:
    """Handle each subject of a batch once, however many messages there are of it, and log what came of it.

    `handle` takes the subject and when its oldest message was sent, and says after how many seconds there is more to do:
    then one message goes back until then (`put_off`), and the others do not. One that fails goes back as it is.
    """
    by_subject: dict[str, list[Message]] = {}
    for message in batch.records:
        by_subject.setdefault(subject(message), []).append(message)
    failed = []
    for name, messages in by_subject.items():
        oldest = min(messages, key=lambda each: each.sent)
        try:
            line, again = handle(name, oldest.sent)
            logger.info("%s: %s", name, line)
            if again > 0:
                put_off(oldest, again)
                failed.append(Failure(oldest.message_id))
        except (InvalidInput, UnknownService) as error:
            logger.warning("%s is given up: %s", name, error)
        except ControlPlaneError as error:
            logger.warning("%s goes back: %s: %s", name, type(error).__name__, error)
            failed.append(Failure(oldest.message_id))
        except Exception:  # noqa: BLE001 - one subject that trips a bug must not take others with it
            logger.exception("%s goes back: this is a bug", name)
            failed.append(Failure(oldest.message_id))
    return Failures(failed)
