"""Answer who looks: the view at an address, once more only if it is another one than the reader has.

What is shown depends on the reader (what he may do), so no cache between keeps it, and each look asks again.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from candlefish.catalog.roles import Caller
from candlefish.errors import ControlPlaneError, InvalidInput, UnknownService
from candlefish.views.fleet_view import beside_each_other
from candlefish.views.model import ColumnView, FleetView, Reader
from candlefish.views.routes import LONGEST_VALUE, MOST_NAMES, ONLY, OPENAPI, SERVICES, VIEW_ROUTES, ViewRoute
from candlefish.web import SHIELDS, HttpAnswer, HttpRequest, matched, problem

# Smaller than this, compressing saves nothing. Bytes.
LEAST_COMPRESSED = 1400
# When a view was made is no change of it. In JSON text a name with a bare quote stands nowhere inside of another text.
_NOW = re.compile(rb'(?<=[{,])"now":[0-9.eE+-]+')
HEADERS = {
    **SHIELDS,
    "content-type": "application/json",
    "cache-control": "private, no-cache",
    "vary": "authorization, accept-encoding",
}


def serve_views(
    request: HttpRequest,
    *,
    who: Callable[[HttpRequest], Caller],
    views: Any,
    document: Callable[[], Mapping[str, Any]],
    others: Callable[[str], Callable[[], tuple[Sequence[FleetView], Sequence[ColumnView]]]],
) -> HttpAnswer:
    """The answer to a look.

    Parameters
    ----------
    who
        Who looks; raises for whom may not.
    views
        The use cases, as methods by the names that rows have.
    document
        The OpenAPI document.
    others
        Begins to ask the other environments with a token; what it gives collects their fleets, and columns of those that
        are silent.
    """
    if request.method not in ("GET", "HEAD"):
        what = request.method or "request without a method"
        return problem(InvalidInput(f"a {what} looks at nothing; send a GET"), 405, allow="GET, HEAD")
    try:
        caller = who(request)
        if request.raw_path == OPENAPI:
            return _answer(request, msgspec.json.encode(document()))
        row, named = _row(request.raw_path)
        asked = _asked(request, row)
        reader = Reader(caller.principal, caller.person, caller.roles)
        said = {**named, "before": "", "limit": "", **asked, "reader": reader}
        # Side by side with this one. Who shows no token but signs with IAM asks each of them himself.
        beside = row.view == "fleet" and request.bearer and asked.get(ONLY.name) != "here"
        collect = others(request.bearer) if beside else None
        view = getattr(views, row.view)(*(said[name] for name in row.takes))
        if collect is not None and any(found := collect()):
            view = beside_each_other(view, *found)
        if SERVICES.name in asked:
            view = _only(view, asked[SERVICES.name])
        return _answer(request, msgspec.json.encode(view))
    except ControlPlaneError as error:
        return problem(error)


def _row(path: str) -> tuple[ViewRoute, dict[str, str]]:
    for row in VIEW_ROUTES:
        if (named := matched(row.path, path)) is not None:
            return row, named
    raise UnknownService(f"there is nothing to look at here; {OPENAPI} says what there is")


def _asked(request: HttpRequest, row: ViewRoute) -> dict[str, str]:
    """What the query says, if this view knows it."""
    known = {parameter.name for parameter in row.query}
    said = request.query()
    if unknown := sorted(said.keys() - known):
        more = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise InvalidInput(f"{row.path} takes no {unknown[0][:40]!r} in its query; {more}")
    for name, value in said.items():
        if len(value) > LONGEST_VALUE or not value.isprintable():
            raise InvalidInput(
                f"{name!r} must be printable text of at most {LONGEST_VALUE} characters; ask without it for the newest"
            )
    return said


def _only(view: FleetView, listed: str) -> FleetView:
    """The fleet with only the services that are named."""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if len(names) > MOST_NAMES:
        raise InvalidInput(f"at most {MOST_NAMES} services can be named; ask without services for all")
    return msgspec.structs.replace(
        view,
        needs=tuple(need for need in view.needs if not need.service or need.service in names),
        cells=tuple(cell for cell in view.cells if cell.service in names),
    )


def _answer(request: HttpRequest, body: bytes) -> HttpAnswer:
    """A view, or that the reader has it already (RFC 9110, If-None-Match). The tag is a weak one: `now` may differ."""
    tag = f'W/"{hashlib.sha256(_NOW.sub(b"", body)).hexdigest()[:32]}"'
    headers = {**HEADERS, "etag": tag}
    wanted = {each.strip().removeprefix("W/") for each in request.header("if-none-match").split(",")}
    if tag.removeprefix("W/") in wanted or "*" in wanted:
        return HttpAnswer(304, {name: headers[name] for name in ("etag", "cache-control", "vary")}, "")
    if len(body) >= LEAST_COMPRESSED and request.takes_gzip:
        packed = gzip.compress(body, 5, mtime=0)
        return HttpAnswer(
            200,
            {**headers, "content-encoding": "gzip"},
            base64.b64encode(packed).decode(),
            is_base64_encoded=True,
        )
    return HttpAnswer(200, headers, body.decode())
