"""Looking by HTTP: the right use case, once more only if it changed, and nothing that nobody knows."""

from __future__ import annotations

import base64
import gzip
import json
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace

from candlefish.catalog.model import ROLES
from candlefish.views.model import ColumnView, FleetView, ReleaseView
from candlefish.views.openapi import document
from candlefish.views.routes import VIEW_ROUTES, ViewRoute
from candlefish.views.serve_views import serve_views
from candlefish.web import Http, HttpRequest, RequestContext
from tests.support.served import READER, TOKEN, Others, Views, look, read, who
from tests.support.views import fleet, fleet_of, release_hostile


def filled(row: ViewRoute) -> str:
    return row.path.replace("{service}", "backend-api").replace("{release}", "r-1")


@pytest.mark.parametrize("row", VIEW_ROUTES, ids=lambda row: row.view)
def test_an_address_is_a_use_case_with_what_it_takes(row: ViewRoute) -> None:
    cases = Views()
    query = "&".join(f"{each.name}=p-2" for each in row.query if each.name in ("before", "limit"))
    answered = look(filled(row), query=query, cases=cases)
    assert answered.status_code == 200
    said = {"service": "backend-api", "release": "r-1", "before": "p-2", "limit": "p-2", "reader": READER}
    assert cases.asked == [(row.view, tuple(said[name] for name in row.takes))]
    assert isinstance(read(answered, row.shows), row.shows)


@pytest.mark.parametrize("row", VIEW_ROUTES, ids=lambda row: row.view)
def test_who_is_not_signed_in_is_shown_nothing(row: ViewRoute) -> None:
    cases = Views()
    assert look(filled(row), cases=cases, authorization="Bearer invented").status_code == 401
    assert look(filled(row), cases=cases, authorization="").status_code == 401
    assert cases.asked == []


def test_who_has_the_view_is_not_sent_it_again() -> None:
    first = look("/v1/fleet")
    tag = first.headers["etag"]
    again = look("/v1/fleet", if_none_match=tag)
    assert (again.status_code, again.body, again.headers["etag"]) == (304, "", tag)
    # RFC 9110: one of several, whether weak or not, and any.
    for wanted in (f'"x", {tag}', tag.removeprefix("W/"), "*"):
        assert look("/v1/fleet", if_none_match=wanted).status_code == 304
    for other in ('W/"x"', "", tag[:-2]):
        assert look("/v1/fleet", if_none_match=other).status_code == 200


def served(view: object) -> dict[str, str]:
    request = HttpRequest(
        raw_path="/v1/fleet",
        headers={"authorization": f"Bearer {TOKEN}"},
        request_context=RequestContext(http=Http("GET")),
    )
    return serve_views(
        request,
        who=who,
        views=SimpleNamespace(fleet=lambda reader: view),
        document=document,
        others=Others().begin,
    ).headers


def test_that_time_passed_is_no_change_and_what_changed_is_one() -> None:
    view = fleet()
    assert served(view)["etag"] == served(replace(view, now=view.now + 1.25))["etag"]
    assert served(view)["etag"] != served(replace(view, says="otherwise"))["etag"]
    # What people wrote is compared whole, whatever it looks like.
    one, two = (replace(view, says=f'{{"now":{number}}},"now":{number}') for number in (1, 2))
    assert served(one)["etag"] != served(two)["etag"]


def test_no_cache_between_keeps_what_one_reader_was_shown() -> None:
    headers = look("/v1/me").headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "authorization, accept-encoding"
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_long_is_sent_short_to_who_takes_it() -> None:
    plain, packed = look("/v1/fleet"), look("/v1/fleet", accept_encoding="br, gzip")
    assert not plain.is_base64_encoded and "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(packed.body)).decode() == plain.body
    assert packed.headers["etag"] == plain.headers["etag"]
    for header in ("gzip;q=0", "br", "gzip; q=0.000", "xgzip"):
        assert not look("/v1/fleet", accept_encoding=header).is_base64_encoded


def test_two_hundred_services_are_a_small_answer() -> None:
    view = fleet_of(200, 50)
    body = msgspec.json.encode(view)
    packed = gzip.compress(body, 5, mtime=0)
    print(f"200 services, 50 in flight: {len(body):,} bytes, {len(packed):,} packed")
    # API Gateway's answer holds 10 MB, Lambda's 6 MB, in base64.
    assert len(packed) < 100_000


def test_services_are_picked_by_name() -> None:
    every: FleetView = read(look("/v1/fleet"), FleetView)
    names = sorted({cell.service for cell in every.cells})
    some: FleetView = read(look("/v1/fleet", query=f"services={names[0]},%20{names[1]}"), FleetView)
    assert {cell.service for cell in some.cells} == set(names[:2])
    assert all(need.service in ("", *names[:2]) for need in some.needs)
    assert len(some.environments) == len(every.environments)
    assert read(look("/v1/fleet", query="services=nobody"), FleetView).cells == ()


@pytest.mark.parametrize(
    ("path", "query", "status", "why"),
    [
        ("/v1/nothing", "", 404, "there is nothing to look at here"),
        ("/v1/fleet/", "", 404, "nothing to look at"),
        ("/v1/releases/a%2Fb", "", 404, "nothing to look at"),
        ("/v1/releases/..", "x=1", 400, "takes no 'x'"),
        ("/v1/releases/" + "r" * 81, "", 404, "nothing to look at"),
        ("/v1/services/<b>", "", 404, "nothing to look at"),
        ("", "", 404, "nothing to look at"),
        ("/v1/fleet", "before=x", 400, "takes no 'before' in its query; it takes only, services"),
        ("/v1/me", "a=1", 400, "it takes none"),
        ("/v1/signals", "before=1&before=2", 400, "says one thing twice"),
        ("/v1/signals", "before=%1b%5B31m", 400, "printable text"),
        ("/v1/signals", "before=" + "x" * 600, 400, "at most 512 characters"),
        ("/v1/fleet", "services=" + ",".join(["a"] * 201), 400, "at most 200"),
    ],
)
def test_what_nobody_knows_is_refused_with_what_to_do(path: str, query: str, status: int, why: str) -> None:
    cases = Views()
    answered = look(path, query=query, cases=cases)
    assert answered.status_code == status and answered.headers["content-type"] == "application/problem+json"
    assert why in read(answered)["detail"]
    assert cases.asked in ([], [("fleet", (READER,))])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", ""])
def test_nothing_is_changed_here(method: str) -> None:
    cases = Views()
    answered = look("/v1/fleet", method=method, cases=cases)
    assert (answered.status_code, answered.headers["allow"], cases.asked) == (405, "GET, HEAD", [])
    assert read(answered)["status"] == 405


def test_the_document_is_shown_to_who_may_look() -> None:
    assert read(look("/v1/openapi.json"))["openapi"] == "3.1.0"
    assert look("/v1/openapi.json", authorization="").status_code == 401


def test_text_from_outside_is_the_same_text_after_the_way() -> None:
    view = release_hostile()
    body = msgspec.json.encode(view)
    assert msgspec.json.decode(body, type=ReleaseView) == view
    # Browsers are told that it is JSON, and not to guess.
    assert json.loads(body)["reason"] == view.reason


def test_the_reader_is_who_signed_in_with_the_roles_that_he_has() -> None:
    cases = Views()
    look("/v1/me", cases=cases)
    ((_, (reader,)),) = cases.asked
    assert (reader.principal, reader.name, reader.roles) == ("oidc:platform-lead", "platform-lead", ROLES)


def test_other_environments_are_asked_with_the_readers_own_token_and_no_further() -> None:
    view = fleet()
    one = replace(view, environments=view.environments[:1], cells=(), needs=(), here="staging")
    away = ColumnView("development", False, "not known: silent", "unknown", unknown="silent")
    others = Others([one], [away])
    shown: FleetView = read(look("/v1/fleet", others=others), FleetView)
    assert others.tokens == [TOKEN]
    assert [column.environment for column in shown.environments] == [
        *(column.environment for column in (*view.environments, *one.environments)),
        "development",
    ]
    assert shown.here == view.here
    # Whom another environment asks asks no other, and no other view is of several.
    look("/v1/fleet", query="only=here", others=others)
    look("/v1/me", others=others)
    assert others.tokens == [TOKEN]
