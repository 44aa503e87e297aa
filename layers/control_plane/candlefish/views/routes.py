"""What there is to look at by HTTP: one row an address. Serving, the OpenAPI document and its tests follow these rows."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.catalog.model import Role
from candlefish.views.model import (
    AuditPage,
    CalendarView,
    CostView,
    FleetView,
    MeView,
    RecoveryView,
    ReleasesPage,
    ReleaseView,
    ServiceView,
    SignalsPage,
    TimelinePage,
)

OPENAPI = "/v1/openapi.json"
# Of a value of a query, in characters, and of a list of names, in names.
LONGEST_VALUE, MOST_NAMES = 512, 200


class Parameter(msgspec.Struct, frozen=True):
    """Something that a query may say."""

    name: str
    says: str


BEFORE = Parameter("before", "Where the page before this one ended: its `older`.")
SERVICES = Parameter("services", "Names of services with commas between: only these. All without it.")
LIMIT = Parameter("limit", "How many at most, from 1 to 50; 50 without it.")

ONLY = Parameter("only", "`here`: the environment that answers, without the others of its catalog.")


class ViewRoute(msgspec.Struct, frozen=True):
    """Something to look at.

    `view` is the use case (`see_<view>`), called with what `takes` names, in this order: parts of the path, `before`, and
    `reader`.
    """

    path: str
    view: str
    shows: type[Any]
    summary: str
    takes: tuple[str, ...] = ()
    query: tuple[Parameter, ...] = ()
    role: Role = "reader"


VIEW_ROUTES = (
    ViewRoute(
        "/v1/fleet",
        "fleet",
        FleetView,
        "Everything at a glance, and what needs a person.",
        ("reader",),
        (SERVICES, ONLY),
    ),
    ViewRoute(
        "/v1/services/{service}",
        "service",
        ServiceView,
        "One service: how it stands, both slots, its newest releases.",
        ("service", "reader"),
    ),
    ViewRoute(
        "/v1/services/{service}/releases",
        "releases",
        ReleasesPage,
        "The releases of a service, newest first.",
        ("service", "before"),
        (BEFORE,),
    ),
    ViewRoute(
        "/v1/releases/{release}",
        "release",
        ReleaseView,
        "One release as it stands, with the newest of its timeline.",
        ("release", "reader"),
    ),
    ViewRoute(
        "/v1/releases/{release}/timeline",
        "timeline",
        TimelinePage,
        "What happened in a release, newest first.",
        ("release", "before"),
        (BEFORE,),
    ),
    ViewRoute(
        "/v1/signals",
        "signals",
        SignalsPage,
        "Signals and what was decided, newest first; what is muted, and what cools down.",
        ("before", "limit"),
        (BEFORE, LIMIT),
    ),
    ViewRoute(
        "/v1/recovery",
        "recovery",
        RecoveryView,
        "Whether we could recover: objectives, drills, failovers.",
    ),
    ViewRoute(
        "/v1/calendar", "calendar", CalendarView, "When it is awake, and when nothing may be released."
    ),
    ViewRoute("/v1/cost", "cost", CostView, "What it costs this month, against its target."),
    ViewRoute("/v1/audit", "audit", AuditPage, "Who did what, newest first.", ("before",), (BEFORE,)),
    ViewRoute("/v1/me", "me", MeView, "Who reads, and what they may do.", ("reader",)),
)
