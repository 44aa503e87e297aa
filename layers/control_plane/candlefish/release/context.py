"""What every step begins with: the record, if the release still holds the service, and the service as declared."""

from __future__ import annotations

from candlefish.catalog.model import Catalog, Service
from candlefish.catalog.read import effective
from candlefish.release.payloads import ReleaseRun
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, require_generation


def held_record(run: ReleaseRun, records: ServiceRecords) -> ServiceRecord:
    """The newest record of a run's service.

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the run has to end.
    """
    record = records.get(run.service)
    require_generation(record, run.generation)
    return record


def service_of(run: ReleaseRun, catalog: Catalog) -> Service:
    """The service as the catalog has it in the run's environment."""
    return effective(catalog.service(run.service), catalog.environments[run.environment])
