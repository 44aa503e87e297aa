"""The API without a machine of AWS's: what is looked at are samples, what is posted is read and answered with samples."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from candlefish.catalog.model import ROLES
from candlefish.catalog.roles import Caller
from candlefish.errors import NotSignedIn, UnknownService
from candlefish.release.freeze import FreezesInForce
from candlefish.release.model import Answered
from candlefish.release.request_release import Started
from candlefish.release.steer_release import Steered
from candlefish.views.model import ColumnView, FleetView, Reader, TimelinePage
from candlefish.views.openapi import ACTIONS, Action, document
from candlefish.views.serve_views import serve_views
from candlefish.views.sign_in import Session
from candlefish.web import Http, HttpAnswer, HttpRequest, RequestContext, matched, problem, respond
from tests.support import views

TOKEN = "a-token"
GIVEN: Mapping[type[Any], Any] = {
    Answered: Answered(
        "r-1", "approved", "platform-lead", ("platform-lead",), 0, "r-1 was approved by platform-lead"
    ),
    Steered: Steered("r-1", "r-1 is paused"),
    Started: Started(
        "r-1-rollback", "arn:aws:states:us-west-2:111111111111:execution:x:y", "platform-lead", "all is back"
    ),
    FreezesInForce: FreezesInForce("production", "all is frozen until tomorrow", ()),
    Session: Session(TOKEN, 1_800_000_000.0),
}


class Views:
    """The use cases of views, answering with samples; `asked` are the calls."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def all(self) -> SimpleNamespace:
        samples: dict[str, Callable[[], Any]] = {
            "fleet": views.fleet,
            "service": views.service,
            "releases": views.releases,
            "release": views.release_canary,
            "timeline": lambda: TimelinePage(entries=views.timeline()),
            "signals": views.signals,
            "recovery": views.recovery,
            "calendar": views.calendar,
            "cost": views.cost,
            "audit": views.audit,
            "me": views.me,
        }
        return SimpleNamespace(**{name: self._case(name, sample) for name, sample in samples.items()})

    def _case(self, name: str, sample: Callable[[], Any]) -> Callable[..., Any]:
        def see(*said: Any) -> Any:
            self.asked.append((name, said))
            return sample()

        return see


def who(request: HttpRequest) -> Caller:
    """Whoever shows the token."""
    if request.bearer != TOKEN:
        raise NotSignedIn("the token is not one that counts; sign in again")
    return Caller("oidc:platform-lead", ROLES, "platform-lead", "platform-lead")


READER = Reader("oidc:platform-lead", "platform-lead", ROLES)


class Others:
    """The other environments: `tokens` asked with, and what they give."""

    def __init__(self, fleets: Sequence[FleetView] = (), silent: Sequence[ColumnView] = ()) -> None:
        self.fleets, self.silent = fleets, silent
        self.tokens: list[str] = []

    def begin(self, token: str) -> Callable[[], tuple[Sequence[FleetView], Sequence[ColumnView]]]:
        self.tokens.append(token)
        return lambda: (self.fleets, self.silent)


def look(
    path: str,
    *,
    query: str = "",
    method: str = "GET",
    cases: Views | None = None,
    others: Others | None = None,
    **headers: str,
) -> HttpAnswer:
    """What serve_views answers to somebody who is signed in; `headers` are called like parameters."""
    said = {"authorization": f"Bearer {TOKEN}"} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    request = HttpRequest(
        raw_path=path, raw_query_string=query, headers=said, request_context=RequestContext(http=Http(method))
    )
    return serve_views(
        request,
        who=who,
        views=(cases or Views()).all(),
        document=document,
        others=(others or Others()).begin,
    )


def act(action: Action, path: str, body: bytes, authorization: str) -> HttpAnswer:
    """What a function answers that takes an action: it reads what was posted, and does nothing."""
    request = HttpRequest(
        raw_path=path,
        headers={"authorization": authorization},
        body=body.decode("utf-8", "replace"),
        request_context=RequestContext(http=Http("POST")),
    )

    def use() -> Any:
        if action.role is not None:
            who(request)
        pattern = action.path
        if action.said:
            # One function stands behind several addresses that differ in what is done.
            pattern = pattern.rpartition("/")[0] + "/{action}"
        request.posted(action.takes, pattern)
        return GIVEN[action.gives]

    return respond(use)


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """All of that for clients of HTTP (WSGI)."""
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    rows = [each for each in ACTIONS if matched(each.path, path) is not None]
    if path == "/v1/session" and method == "GET":
        answered = respond(lambda: {"authorize": "https://a.example.org", "client": "c", "scope": "openid"})
    elif method == "POST" and rows:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answered = act(rows[0], path, body, authorization)
    elif method not in ("GET", "HEAD"):
        # API Gateway's own answer to what is no route.
        answered = problem(UnknownService("Not Found"))
    else:
        request = HttpRequest(
            raw_path=path,
            raw_query_string=environ.get("QUERY_STRING", ""),
            headers={
                "authorization": authorization,
                "accept-encoding": environ.get("HTTP_ACCEPT_ENCODING", ""),
            },
            request_context=RequestContext(http=Http(method)),
        )
        answered = serve_views(
            request, who=who, views=Views().all(), document=document, others=Others().begin
        )
    start(f"{answered.status_code} .", list(answered.headers.items()))
    if answered.is_base64_encoded:
        return [base64.b64decode(answered.body)]
    return [answered.body.encode()]


def read(answered: HttpAnswer, kind: type[Any] = dict) -> Any:
    """The body of an answer."""
    data = answered.body.encode()
    if answered.is_base64_encoded:
        import gzip

        data = gzip.decompress(base64.b64decode(data))
    return msgspec.json.decode(data, type=kind)
