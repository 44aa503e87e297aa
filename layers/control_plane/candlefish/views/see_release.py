"""See one release: where it stands, on what evidence, what it waits for, what happened."""

from __future__ import annotations

from candlefish.views.look import look_at_release
from candlefish.views.model import Reader, ReleaseView
from candlefish.views.ports import Looking
from candlefish.views.release_view import release_view


def see_release(release: str, reader: Reader, *, looking: Looking, live: bool = True) -> ReleaseView:
    """A release as it stands; `live` asks the load balancer and the cluster as well.

    Raises
    ------
    UnknownService
        There is no release of that id here.
    Unreadable
        It is not one that this code can read.
    """
    return release_view(look_at_release(release, looking, live=live), reader, looking.catalog)
