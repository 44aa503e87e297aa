"""What judges of releases know, in the control plane's table."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import expiry, get, packed, put_if, read_body
from candlefish.errors import RecordContested, Unreadable
from candlefish.release.model import Judgement

# Seconds that it is kept after the last look: rollback windows are shorter.
KEPT = 60 * 86400.0


class DynamoJudgements:
    """`release.ports.Judgements`: one item a release."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def read(self, release: str) -> Judgement:
        what = f"what the judge of release {release} knows"
        found = get(self._client, self._table, keys.JUDGEMENT.key(release=release), what=what)
        if found is None:
            return Judgement()
        try:
            return read_body(keys.JUDGEMENT, found, Judgement, what=what)
        except Unreadable:
            # It begins anew with the windows of its step; the revision is what the next write is held to.
            return Judgement(revision=int(found.get("revision", {"N": "0"})["N"]))

    def write(self, release: str, judgement: Judgement, at: float) -> None:
        after = msgspec.structs.replace(judgement, revision=judgement.revision + 1)
        item = {
            **keys.JUDGEMENT.key(release=release),
            **packed(keys.JUDGEMENT, after),
            "revision": {"N": str(after.revision)},
            "expires": expiry(at, KEPT),
        }
        what = f"what the judge of release {release} knows"
        if not put_if(self._client, self._table, item, seen=judgement.revision or None, what=what):
            raise RecordContested(
                f"{what} was written by another look meanwhile; the next one goes on from there"
            )
