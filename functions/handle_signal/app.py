"""Handle the signals of some messages of the queue; what failed goes back to it."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import signals as wire
from candlefish.errors import ControlPlaneError
from candlefish.handler import handler, logger
from candlefish.signals.handle import handle
from candlefish.signals.sources import from_queue

DESK = wire.desk()


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    failed: list[dict[str, str]] = []
    for message in event["Records"]:
        identity = message["messageId"]
        try:
            sent = float(message["attributes"]["SentTimestamp"]) / 1000
            for line in handle(from_queue(message["body"], sent), message=identity, desk=DESK):
                decision = line.decision
                logger.info("%s %s: %s", line.signal.about, decision.gate or decision.action, decision.reason)
        except ControlPlaneError as error:
            logger.warning("message %s goes back: %s: %s", identity, type(error).__name__, error)
            failed.append({"itemIdentifier": identity})
        except Exception:  # noqa: BLE001 - one message that trips a bug must not take others with it
            logger.exception("message %s goes back: this is a bug", identity)
            failed.append({"itemIdentifier": identity})
    return {"batchItemFailures": failed}
