"""What people see of a judge's looks, beside the release's timeline in the control plane's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import expiry, packed, sortable
from candlefish.adapters.table.journal import KEEP
from candlefish.errors import ControlPlaneError, Unavailable
from candlefish.invocation import seconds_left
from candlefish.release.model import SeenEvidence, SeenWindow
from candlefish.telemetry import logger

# Limit of BatchWriteItem.
WRITE_AT_ONCE = 25
# A judge that has fewer seconds left needs them for its verdict: a call here may take 9 of them.
ENOUGH = 15.0


class DynamoLooks:
    """`release.ports.Looks`: one call for each 25 items of a look, mostly one; what is left undone stays so."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def keep(self, release: str, seen: SeenEvidence, windows: Sequence[SeenWindow]) -> None:
        items = [self._evidence(release, seen), *(self._window(release, each) for each in windows)]
        try:
            for first in range(0, len(items), WRITE_AT_ONCE):
                if seconds_left() < ENOUGH:
                    raise Unavailable("its look has no time left for that")
                self._put(items[first : first + WRITE_AT_ONCE])
        except ControlPlaneError as error:
            logger.warning("what is shown of release %s is older than its judge: %s", release, error)

    def _put(self, items: list[dict[str, Any]]) -> None:
        with aws_call("keeping what the judge saw"):
            self._client.batch_write_item(
                RequestItems={self._table: [{"PutRequest": {"Item": item}} for item in items]}
            )

    def _evidence(self, release: str, seen: SeenEvidence) -> dict[str, Any]:
        return {
            **keys.SEEN_EVIDENCE.key(release=release),
            **packed(keys.SEEN_EVIDENCE, seen),
            "expires": expiry(seen.at, KEEP),
        }

    def _window(self, release: str, window: SeenWindow) -> dict[str, Any]:
        return {
            **keys.SEEN_WINDOW.key(release=release, time=sortable(window.start)),
            **packed(keys.SEEN_WINDOW, window),
            "expires": expiry(window.end, KEEP),
        }
