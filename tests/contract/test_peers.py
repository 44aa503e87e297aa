"""The other environments' fleets, asked side by side: who does not answer is a column that says so."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from candlefish.adapters.aws.peers import PeerFleets
from candlefish.catalog.model import Catalog, Console
from candlefish.catalog.stack_parameters import peers_of
from candlefish.errors import Unavailable
from candlefish.service.model import RecordMark
from candlefish.service.record import ServiceRecord, quarantine
from candlefish.views.model import FleetView
from candlefish.views.ports import Looking
from candlefish.views.see_fleet import see_fleet
from candlefish.views.serve_views import serve_views
from candlefish.web import HttpAnswer, HttpRequest, answer
from lab.memory.service import MemoryRecords
from lab.memory.views import MemoryHistory
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.release import FakeJournal
from tests.support.served import TOKEN, who
from tests.support.service import V1, fresh, released
from tests.support.views import fleet

ARNS = {
    "staging": "arn:aws:lambda:us-west-2:222222222222:function:candlefish-staging-serve-views:live",
    "development": "arn:aws:lambda:eu-west-1:333333333333:function:candlefish-development-serve-views:live",
}
CONSOLE = Console(issuer="https://login.example.org", client="page", reader=("*",))
Does = Callable[[dict[str, Any]], dict[str, Any]]


def gives(said: HttpAnswer) -> dict[str, Any]:
    return {"Payload": io.BytesIO(msgspec.json.encode(said))}


def refuses(code: str) -> Does:
    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Invoke")

    return invoke


def late(event: dict[str, Any]) -> dict[str, Any]:
    raise ReadTimeoutError(endpoint_url="https://lambda.eu-west-1.amazonaws.com")


class Lambda:
    """Lambda of every region; `does` is what a function does, by its ARN."""

    def __init__(self, does: Mapping[str, Does]) -> None:
        self._does = does
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.made_by: set[threading.Thread] = set()

    def of(self, region: str) -> Any:
        outer = self
        self.made_by.add(threading.current_thread())

        class Client:
            def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - AWS's names
                event = json.loads(Payload)
                outer.asked.append((region, FunctionName, event))
                return outer._does[FunctionName](event)

        return Client()


def signing_in(**consoles: Console | None) -> Catalog:
    """A catalog whose environments have these consoles."""
    plain = catalog()
    environments = {
        name: msgspec.structs.replace(each, console=consoles.get(name, CONSOLE))
        for name, each in plain.environments.items()
    }
    return msgspec.structs.replace(plain, environments=environments)


def asked(
    staging: Does,
    development: Does,
    patience: float = 60.0,
    *,
    here: Console | None = CONSOLE,
    others: Catalog | None = None,
) -> tuple[Lambda, Any, Any]:
    aws = Lambda({ARNS["staging"]: staging, ARNS["development"]: development})
    peers = PeerFleets(ARNS, here, others or signing_in(), aws.of, patience)
    fleets, silent = peers.begin("a-token")()
    return aws, fleets, silent


def fleet_of(name: str) -> FleetView:
    """What one environment says: of itself alone."""
    whole = fleet()
    return msgspec.structs.replace(
        whole,
        needs=tuple(each for each in whole.needs if each.environment == name),
        environments=tuple(each for each in whole.environments if each.environment == name),
        cells=tuple(each for each in whole.cells if each.environment == name),
    )


STAGING, DEVELOPMENT = fleet_of("staging"), fleet_of("development")


def shows(shown: FleetView) -> Does:
    return lambda event: gives(answer(200, shown))


def test_each_is_asked_where_it_is_with_the_readers_token_for_itself_alone() -> None:
    aws, fleets, silent = asked(shows(STAGING), shows(DEVELOPMENT))
    assert fleets == [STAGING, DEVELOPMENT] and silent == []
    assert sorted((region, arn) for region, arn, _ in aws.asked) == sorted(
        (arn.split(":")[3], arn) for arn in ARNS.values()
    )
    for _, _, event in aws.asked:
        request = msgspec.convert(event, HttpRequest)
        assert (request.bearer, request.raw_path, request.query()) == (
            "a-token",
            "/v1/fleet",
            {"only": "here"},
        )
        assert request.method == "GET" and request.request_context.authorizer is None


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (refuses("AccessDeniedException"), "does not let this one ask (AccessDeniedException)"),
        (late, "does not answer (ReadTimeoutError)"),
        (lambda event: {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}, "failed at showing"),
        (lambda event: {"Payload": io.BytesIO(b"nonsense")}, "in another way than this one"),
        (lambda event: gives(answer(200, {"other": 1})), "in another way than this one"),
        (lambda event: gives(answer(401, {})), "it signs people in elsewhere"),
        (lambda event: gives(answer(403, {})), "you have no role there"),
        (lambda event: gives(answer(500, {})), "answered 500"),
    ],
)
def test_who_does_not_show_it_is_a_column_that_says_why(does: Does, why: str) -> None:
    _, fleets, (column,) = asked(shows(STAGING), does)
    assert len(fleets) == 1
    assert (column.environment, column.tone) == ("development", "unknown") and why in column.unknown


OTHERS = {
    "another issuer": msgspec.structs.replace(CONSOLE, issuer="https://dev.example.org"),
    "another client": msgspec.structs.replace(CONSOLE, client="page-of-development"),
    "another audience": msgspec.structs.replace(CONSOLE, audience="api"),
    "nobody": None,
}


@pytest.mark.parametrize("there", OTHERS.values(), ids=OTHERS.keys())
def test_a_token_is_not_shown_where_it_counts_for_nothing(there: Console | None) -> None:
    """Whoever keeps that environment would have what lets him act here."""
    aws, fleets, (column,) = asked(shows(STAGING), shows(DEVELOPMENT), others=signing_in(development=there))
    assert [arn for _, arn, _ in aws.asked] == [ARNS["staging"]] and fleets == [STAGING]
    assert (column.environment, column.unknown) == ("development", "it signs people in elsewhere")


def test_where_nobody_signs_in_nobody_is_shown_a_token() -> None:
    aws, fleets, silent = asked(shows(STAGING), shows(DEVELOPMENT), here=None)
    assert (aws.asked, fleets) == ([], []) and len(silent) == 2


@pytest.mark.parametrize("part", ["needs", "environments", "cells"])
def test_nobody_speaks_of_another_environment_than_its_own(part: str) -> None:
    """A question about production that staging made up must not stand beside production's buttons."""
    lies = msgspec.structs.replace(DEVELOPMENT, **{part: getattr(fleet_of("production"), part)})
    assert getattr(lies, part)
    _, fleets, (column,) = asked(shows(STAGING), shows(lies))
    assert fleets == [STAGING]
    assert column.environment == "development" and "in another way than this one" in column.unknown


def test_where_there_is_no_control_plane_there_is_no_column() -> None:
    _, fleets, silent = asked(shows(STAGING), refuses("ResourceNotFoundException"))
    assert (len(fleets), silent) == (1, [])


def test_they_are_asked_side_by_side() -> None:
    """Each waits for the other to be asked."""
    both = threading.Barrier(2)

    def meets(shown: FleetView) -> Does:
        def invoke(event: dict[str, Any]) -> dict[str, Any]:
            both.wait(60)
            return gives(answer(200, shown))

        return invoke

    _, fleets, silent = asked(meets(STAGING), meets(DEVELOPMENT))
    assert (len(fleets), silent) == (2, [])


def test_no_two_threads_make_clients_at_once() -> None:
    """One session makes them all, and botocore's are not for several threads."""
    aws, _, _ = asked(shows(STAGING), shows(DEVELOPMENT))
    assert aws.made_by == {threading.current_thread()}


def test_nobody_waits_for_who_is_late() -> None:
    go_on = threading.Event()

    def hangs(event: dict[str, Any]) -> dict[str, Any]:
        go_on.wait(60)
        return gives(answer(200, STAGING))

    try:
        _, fleets, silent = asked(hangs, hangs, patience=0.0)
        assert fleets == []
        assert {column.unknown for column in silent} == {"its control plane did not answer within 0 s"}
    finally:
        go_on.set()


def test_who_has_no_console_asks_nobody_and_is_asked_by_nobody() -> None:
    plain = catalog()
    assert peers_of(plain.environments["production"], plain) == {}


# --- by their own functions, from the request to the page


class Stack:
    """What a stack of one environment serves: its own records, by the function that shows them."""

    def __init__(self, environment: str, *records: ServiceRecord) -> None:
        history = MemoryHistory(FakeJournal().memory)
        self.environment, self.records = environment, MemoryRecords(*records)
        self.looking = Looking(environment, signing_in(), self.records, history, Clock())

    def serve(self, event: dict[str, Any], others: Any = None) -> dict[str, Any]:
        """Event in, answer out, as Lambda has them: JSON."""
        views = SimpleNamespace(fleet=partial(see_fleet, looking=self.looking))
        request = msgspec.convert(event, HttpRequest)
        said = serve_views(request, who=who, views=views, document=dict, others=others or nobody)
        return gives(said)


def nobody(token: str) -> Any:
    raise AssertionError("who is asked by another environment asks no other")


def page(here: Stack, does: Mapping[str, Does], token: str = TOKEN) -> tuple[int, Any]:
    """What a reader's page gets of `here`, which asks the others."""
    aws = Lambda(does)
    peers = PeerFleets(ARNS, CONSOLE, signing_in(), aws.of, 60.0)
    event = {
        "version": "2.0",
        "rawPath": "/v1/fleet",
        "rawQueryString": "",
        "headers": {"authorization": f"Bearer {token}"},
        "requestContext": {"http": {"method": "GET"}},
    }
    said = json.loads(here.serve(event, peers.begin)["Payload"].read())
    return said["statusCode"], json.loads(said["body"])


def rests(environment: str) -> ServiceRecord:
    return released(fresh(environment=environment), "r1", V1, window=0)


def test_two_stacks_stand_on_one_page_and_one_that_is_silent_is_never_well() -> None:
    """Everything that answers is at rest: what is not known alone keeps the page from saying that all is well."""
    here, staging = Stack("production", rests("production")), Stack("staging", rests("staging"))
    status, both = page(here, {ARNS["staging"]: staging.serve, ARNS["development"]: late})
    assert status == 200
    columns = {column["environment"]: column for column in both["environments"]}
    assert list(columns) == ["production", "staging", "development"]
    assert (columns["production"]["tone"], columns["staging"]["tone"]) == ("good", "good")
    silent = columns["development"]
    assert (silent["tone"], silent["says"]) == (
        "unknown",
        "not known: its control plane does not answer (ReadTimeoutError)",
    )
    assert both["tone"] == "unknown" and "development: not known" in both["says"]
    shown = {(cell["environment"], cell["service"]): cell["says"] for cell in both["cells"]}
    assert shown["production", "backend-api"] == shown["staging", "backend-api"] == "all traffic on v1"
    assert {environment for environment, _ in shown} == {"production", "staging"}
    assert both["here"] == "production"


def test_what_needs_a_person_elsewhere_is_said_here_and_pressed_there() -> None:
    lost = quarantine(rests("staging"), newer=RecordMark(99, 9), where="the rule", now=5.0)
    here, staging = Stack("production", rests("production")), Stack("staging", lost)
    _, both = page(here, {ARNS["staging"]: staging.serve, ARNS["development"]: late})
    (need,) = both["needs"]
    assert (need["environment"], need["actions"], both["tone"]) == ("staging", [], "bad")
    assert need["command"] == "candlefish records verify backend-api -e staging"


def test_who_counts_for_nothing_here_is_shown_no_environment() -> None:
    here = Stack("production", rests("production"))
    status, _ = page(here, {}, token="invented")
    assert status == 401


def test_a_stack_whose_table_does_not_answer_is_unknown_beside_one_that_does() -> None:
    class Down(MemoryRecords):
        def all(self) -> Any:
            raise Unavailable("the table does not answer")

    here, staging = Stack("production", rests("production")), Stack("staging")
    staging.looking = staging.looking._replace(records=Down())
    _, both = page(here, {ARNS["staging"]: staging.serve, ARNS["development"]: late})
    tones = {column["environment"]: column["tone"] for column in both["environments"]}
    assert tones == {"production": "good", "staging": "unknown", "development": "unknown"}
