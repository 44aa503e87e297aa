"""See one service: both slots, what goes on, its releases, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.errors import ControlPlaneError, UnknownService
from candlefish.service.record import ServiceRecord
from candlefish.views.actions import freeze_actions
from candlefish.views.cells import service_cell, sleep_left
from candlefish.views.facts import ReleaseFacts, Surroundings
from candlefish.views.look import concerns, look_at_release, pods_in, record_of, require_service, surroundings
from candlefish.views.model import Left, Reader, ReleaseLine, ReleaseView, ServiceCell, ServiceView
from candlefish.views.ports import Looking
from candlefish.views.release_view import release_view
from candlefish.views.see_releases import releases_page
from candlefish.views.slots import slots_view
from candlefish.views.weights import weigh


def see_service(service: str, reader: Reader, *, looking: Looking) -> ServiceView:
    """A service as it stands, with the release that it is about.

    Raises
    ------
    UnknownService, NotOnboarded
        There is no such service, or it has no record here.
    """
    require_service(service, looking)
    unknown: list[str] = []
    now = looking.now()
    record = record_of(service, looking, unknown)
    page = releases_page(service, record, "", looking)
    if record is None:
        says = "not known: its record could not be read"
        cell = ServiceCell(looking.environment, service, says, "unknown", needs_person=True)
        return ServiceView(cell, now, (), None, page.releases, page.older, unknown=tuple(unknown))
    around = surroundings(looking)
    about = _about(record, page.releases)
    facts = _release_of(about, record, around, looking, unknown) if about else None
    release: ReleaseView | None = release_view(facts, reader, looking.catalog) if facts else None
    cell, _ = service_cell(record, facts, around, reader, looking.catalog, now)
    if release and release.slots:
        slots, more = release.slots, release.unknown
    else:
        weighed = weigh(record, looking.rules)
        slots = slots_view(record, weights=weighed.weights, pods=pods_in(record, looking))
        more = (*weighed.unknown, *around.unknown)
    freeze = around.freeze_of(service)
    left = list(release.left) if release else [cell.left] if cell.left else []
    if freeze:
        left.append(Left("freeze", freeze.until, f"frozen until then: {freeze.reason}"))
    if (sleeps := sleep_left(around)) and sleeps not in left:
        left.append(sleeps)
    freezing = freeze_actions(
        service,
        looking.environment,
        frozen_by=None if freeze is None else freeze.by if freeze.service == service else "",
        says=freeze.reason if freeze else "",
        reader=reader,
        catalog=looking.catalog,
    )
    return ServiceView(
        cell=cell,
        now=now,
        slots=slots,
        release=release,
        releases=page.releases,
        older=page.older,
        holds=release.holds if release else (),
        left=tuple(left),
        actions=(*(release.actions if release else ()), *freezing),
        command=release.command if release else f"candlefish status {service} -e {looking.environment}",
        unknown=(*unknown, *more),
    )


def _about(record: ServiceRecord, newest_first: Sequence[ReleaseLine]) -> str:
    """The release that a service is about: which has it, or else the newest that had it; empty where none began.

    One that was refused changed nothing, and is shown only where there was no other.
    """
    if record.rollback or record.holder:
        return concerns(record)[0]
    had = next((line.id for line in newest_first if line.status in ("promoted", "rolled_back")), "")
    refused = next((line.id for line in newest_first if line.status == "refused"), "")
    return had or record.promoted_release or refused


def _release_of(
    id: str, record: ServiceRecord, around: Surroundings, looking: Looking, unknown: list[str]
) -> ReleaseFacts | None:
    """The release that a record is about; none where it is of before timelines were kept, or cannot be read."""
    try:
        return look_at_release(id, looking, live=True, record=record, around=around)
    except UnknownService:
        return None
    except ControlPlaneError as error:
        unknown.append(str(error))
        return None
