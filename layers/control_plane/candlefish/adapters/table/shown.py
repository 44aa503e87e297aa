"""What stands in the chat about releases, and how fast channels take messages, in the control plane's table."""

from __future__ import annotations

import time
from typing import Any

from msgspec.structs import replace

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import expiry, get, packed, put_if, read_body, write_if
from candlefish.errors import RecordContested, Unreadable
from candlefish.messages.record import Shown
from candlefish.ports import Now

KEPT = 60 * 86400.0
KEPT_PACE = 2 * 86400.0
# Slack takes about one message a second a channel.
EVERY = 1.0


class DynamoShownMessages:
    """`messages.ports.ShownMessages`: one item a release or train."""

    def __init__(self, client: Any, table: str, now: Now = time.time) -> None:
        self._client, self._table, self._now = client, table, now

    def read(self, subject: str) -> Shown:
        what = f"what is shown of {subject}"
        item = get(self._client, self._table, keys.SHOWN.key(subject=subject), what=what)
        if item is None:
            return Shown(subject)
        try:
            return read_body(keys.SHOWN, item, Shown, what=what)
        except Unreadable:
            # It is shown anew; the revision is what the next write is held to.
            return Shown(subject, revision=int(item.get("revision", {"N": "0"})["N"]))

    def write(self, shown: Shown) -> Shown:
        after = replace(shown, revision=shown.revision + 1)
        item = {
            **keys.SHOWN.key(subject=shown.subject),
            **packed(keys.SHOWN, after),
            "revision": {"N": str(after.revision)},
            "expires": expiry(self._now(), KEPT),
        }
        what = f"what is shown of {shown.subject}"
        if not put_if(self._client, self._table, item, seen=shown.revision or None, what=what):
            raise RecordContested(f"{what} was written by somebody else meanwhile; look again")
        return after


class DynamoChannelPace:
    """`messages.ports.ChannelPace`: one item a channel."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def take(self, channel: str, now: float) -> float:
        taken = self._write(
            channel, now + EVERY, "attribute_not_exists(pk) OR #next <= :now", {":now": {"N": f"{now:.6f}"}}
        )
        if taken:
            return 0.0
        item = get(
            self._client, self._table, keys.PACE.key(channel=channel), what=f"the pace of channel {channel}"
        )
        then = float(item["next"]["N"]) if item else now
        # Others may have taken it since; what is asked again at once would only burn calls.
        return max(then - now, 0.1)

    def hold(self, channel: str, until: float) -> None:
        # Whoever asked for longer has it.
        self._write(
            channel,
            until,
            "attribute_not_exists(pk) OR #next < :until",
            {":until": {"N": f"{until:.6f}"}},
        )

    def _write(self, channel: str, then: float, condition: str, values: dict[str, Any]) -> bool:
        return write_if(
            f"writing the pace of channel {channel}",
            self._client.put_item,
            TableName=self._table,
            Item={
                **keys.PACE.key(channel=channel),
                "next": {"N": f"{then:.6f}"},
                "expires": expiry(then, KEPT_PACE),
            },
            ConditionExpression=condition,
            ExpressionAttributeNames={"#next": "next"},
            ExpressionAttributeValues=values,
        )
