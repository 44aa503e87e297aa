"""Ask a candidate for its smoke paths at weight 0."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import SmokeTestFailed
from candlefish.ports import Now
from candlefish.release.context import held_record, service_of
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import SmokeResult, StepInput
from candlefish.release.ports import Web
from candlefish.service.ports import ServiceRecords
from candlefish.traffic.ports import Rules
from candlefish.traffic.shadow import shadowing, taken_whole


def smoke_test(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    rules: Rules,
    web: Web,
    journal: Journal,
    now: Now,
) -> SmokeResult:
    """Ask the candidate once for its smoke paths through the header rule, at weight 0.

    A wrong answer counts when it stays wrong for the step's time: until then the machine asks again. The header rule
    stands in front of the users': whether theirs would be reached at all is looked up, not asked.

    Raises
    ------
    SmokeTestFailed
        A path still answers something else than 2xx or 3xx when the step's time is up, or somebody's rule takes all
        of the users' requests.
    """
    record = held_record(request, records)
    service = service_of(request, catalog)
    there = {rule["RuleArn"]: rule for rule in rules.listed(record.listener)}
    ours = there.get(record.rule)
    if ours and (whole := taken_whole(shadowing(there.values(), ours))):
        raise SmokeTestFailed(f"{record.name} cannot be released: {whole}")
    answers: dict[str, str] = {}
    for path in service.smoke_paths or (service.health_path,):
        token = {record.smoke_header: record.smoke_token}
        answer = web.get(record.listener, service.host, path, token)
        if not 200 <= answer.status < 400:
            wrong = (
                f"GET {path} of the candidate in slot {request.slot} answered "
                f"{answer.status or 'nothing'} ({answer.reason})"
            )
            if now() - request.since > request.step.within:
                raise SmokeTestFailed(f"{wrong} for {request.step.within:.0f} s")
            return SmokeResult(False, wrong, request.step.poll)
        answers[path] = str(answer.status)
    reason = "the candidate answers at weight 0"
    journal.append(request.release, ReleaseEntry(now(), "smoke_tested", reason, evidence=answers))
    return SmokeResult(True, reason)
