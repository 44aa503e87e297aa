"""See everything at a glance: so many calls, however many services there are."""

from __future__ import annotations

import msgspec

from candlefish.errors import ControlPlaneError
from candlefish.views.fleet_view import fleet_view, in_flight
from candlefish.views.look import glances_of, surroundings, with_failovers, with_signals
from candlefish.views.model import FleetView, Reader
from candlefish.views.ports import Looking


def see_fleet(reader: Reader, *, looking: Looking) -> FleetView:
    """Every service of the environment, what needs a person first.

    Raises
    ------
    Throttled, Unavailable
        The table does not answer; nothing is known.
    """
    now, known = looking.now(), looking.records.all()
    ids = [id for record in known if (id := in_flight(record, now))]
    around = surroundings(looking)
    for read, what in (
        (with_failovers, "whether a failover waits for people"),
        (with_signals, "what signals need a person"),
    ):
        try:
            around = read(around, looking)
        except ControlPlaneError as error:
            lost = f"{what} could not be read: {error}"
            around = msgspec.structs.replace(around, unknown=(*around.unknown, lost))
    return fleet_view(
        known,
        glances_of(ids, looking),
        around,
        reader,
        looking.catalog,
        looking.environment,
        now,
    )
