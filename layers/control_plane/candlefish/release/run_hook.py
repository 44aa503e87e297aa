"""Ask a hook of the strategy whether a release may go on."""

from __future__ import annotations

from typing import Any

from candlefish.errors import HookFailed, Unavailable
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import StepInput
from candlefish.release.ports import Hooks
from candlefish.service.ports import ServiceRecords


def run_hook(
    request: StepInput, *, records: ServiceRecords, hooks: Hooks, journal: Journal, now: Now
) -> None:
    """Ask a hook of the strategy; anything but a clear yes within the step's time is a veto."""
    record = held_record(request, records)
    slot = record.slots[request.slot]
    version = slot.incoming or slot.version
    payload: dict[str, Any] = {
        "release": request.release,
        "environment": request.environment,
        "service": request.service,
        "slot": request.slot,
        "image": version.image if version else "",
        "weights": record.desired,
    }
    try:
        answer = hooks.call(request.step.target, payload, request.step.within)
    except Unavailable as error:
        raise HookFailed(f"hook {request.step.name} could not be asked: {error}") from error
    if not answer.passed:
        raise HookFailed(f"hook {request.step.name} said no: {answer.reason}")
    journal.append(
        request.release, ReleaseEntry(now(), "hook_passed", f"{request.step.name}: {answer.reason}")
    )
