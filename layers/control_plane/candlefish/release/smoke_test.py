"""Ask a candidate for its smoke paths at weight 0."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import SmokeTestFailed
from candlefish.ports import Now
from candlefish.release.context import held_record, service_of
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import StepInput
from candlefish.release.ports import Web
from candlefish.service.ports import ServiceRecords

# An answer of the smoke test is taken as wrong only when it stays wrong for the step's time.
SMOKE_PAUSE = 2.0


def smoke_test(
    request: StepInput, *, catalog: Catalog, records: ServiceRecords, web: Web, journal: Journal, now: Now
) -> None:
    """Ask the candidate for its smoke paths through the header rule, at weight 0.

    Raises
    ------
    SmokeTestFailed
        A path still answers something else than 2xx or 3xx when the step's time is up.
    """
    record = held_record(request, records)
    service = service_of(request, catalog)
    answers: dict[str, str] = {}
    for path in service.smoke_paths or (service.health_path,):
        answer = web.get(service.host, path, {record.smoke_header: record.smoke_token})
        while not 200 <= answer.status < 400:
            if now() - request.since > request.step.within:
                raise SmokeTestFailed(
                    f"GET {path} of the candidate in slot {request.slot} answered "
                    f"{answer.status or 'nothing'} ({answer.reason}) for {request.step.within:.0f} s"
                )
            web.pause(SMOKE_PAUSE)
            answer = web.get(service.host, path, {record.smoke_header: record.smoke_token})
        answers[path] = str(answer.status)
    journal.append(
        request.release,
        ReleaseEntry(now(), "smoke_tested", "the candidate answers at weight 0", evidence=answers),
    )
