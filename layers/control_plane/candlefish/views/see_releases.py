"""See the releases of a service, newest first."""

from __future__ import annotations

from candlefish.service.record import ServiceRecord
from candlefish.views.facts import Surroundings
from candlefish.views.look import glanced_facts, glances_of, record_of, require_service
from candlefish.views.model import Reader, ReleaseLine, ReleasesPage
from candlefish.views.ports import Looking
from candlefish.views.release_view import release_line, release_view

# How many releases come at once.
RELEASES = 20
_NOBODY = Reader("")


def see_releases(service: str, before: str = "", *, looking: Looking) -> ReleasesPage:
    """Part of the list of a service's releases; `before` is where another part went on.

    Raises
    ------
    UnknownService, NotOnboarded
        There is no such service, or it was never released here.
    InvalidInput
        `before` is none of ours.
    """
    require_service(service, looking)
    record = record_of(service, looking, [])
    return releases_page(service, record, before, looking)


def releases_page(service: str, record: ServiceRecord | None, before: str, looking: Looking) -> ReleasesPage:
    """Part of the list, with a record that was read already."""
    found = looking.history.of_service(service, RELEASES, before)
    glances = glances_of(found.ids, looking)
    lines: list[ReleaseLine] = []
    for id in found.ids:
        facts = glanced_facts(glances[id], record, Surroundings(), looking.now())
        if facts:
            lines.append(release_line(release_view(facts, _NOBODY, looking.catalog)))
    return ReleasesPage(found.older, tuple(lines))
