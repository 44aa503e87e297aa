"""What releases have learnt of services' burstiness, in the control plane's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import get, packed, read_body
from candlefish.analysis.calibration import Calibration
from candlefish.errors import Unreadable


class DynamoCalibrations:
    """`analysis.ports.Calibrations`: one item a service and source."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client, self._table, self._environment = client, table, environment

    def _key(self, service: str, source: str) -> dict[str, Any]:
        return keys.CALIBRATION.key(environment=self._environment, service=service, source=source)

    def get(self, service: str, source: str) -> Mapping[str, Calibration]:
        key, what = self._key(service, source), f"how bursty {service} is"
        found = get(self._client, self._table, key, what=what, consistent=False)
        if found is None:
            return {}
        try:
            return read_body(keys.CALIBRATION, found, dict[str, Calibration], what=what)
        except Unreadable:
            # Another version of the judge wrote it; it is learnt again from history.
            return {}

    def put(self, service: str, source: str, known: Mapping[str, Calibration]) -> None:
        item = {**self._key(service, source), **packed(keys.CALIBRATION, dict(known))}
        with aws_call(f"keeping how bursty {service} is"):
            self._client.put_item(TableName=self._table, Item=item)
