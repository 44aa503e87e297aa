"""Compare records with the world; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from candlefish.bounds import MaybeName
from candlefish.catalog.model import Catalog, Environment
from candlefish.errors import ControlPlaneError, NotOnboarded
from candlefish.release.ports import Cluster
from candlefish.release.reconstruct import Comparison, compare
from candlefish.release.sight import listeners_of, sight_service
from candlefish.service.ports import ServiceRecords
from candlefish.traffic.ports import Rules


class VerifyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which service to compare; all of them when it is empty."""

    service: MaybeName = ""


class RecordCheck(msgspec.Struct, frozen=True):
    """How a service's record compares with the world; `failed` says why it could not be compared."""

    service: str
    lines: list[Comparison]
    failed: str = ""


def verify_records(
    request: VerifyRequest,
    *,
    catalog: Catalog,
    environment: Environment,
    listeners: Sequence[str],
    records: ServiceRecords,
    rules: Rules,
    cluster: Cluster,
) -> list[RecordCheck]:
    """Compare one service, or all of the catalog, with what the load balancer and the cluster show."""
    services = [catalog.service(request.service).name] if request.service else sorted(catalog.services)

    def check(service: str) -> RecordCheck:
        try:
            try:
                record = records.get(service)
            except NotOnboarded:
                record = None
            sight = sight_service(
                service,
                environment=environment,
                listeners=[record.listener]
                if record
                else listeners_of(catalog.service(service), environment, listeners),
                rules=rules,
                cluster=cluster,
            )
        except ControlPlaneError as error:
            return RecordCheck(service, [], str(error))
        return RecordCheck(service, compare(record, sight))

    return [check(service) for service in services]
