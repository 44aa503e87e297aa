"""What the API does with one request, whoever carries it: may they, what for, and the answer.

`server.py` carries requests over HTTPS; the simulator hands them over as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from lab.kube.access import Ask, User, allowed
from lab.kube.discovery import document
from lab.kube.kinds import NAMESPACE, Kind
from lab.kube.problems import ApiError
from lab.kube.reads import listed
from lab.kube.routes import Route, route
from lab.kube.runtime import Object
from lab.kube.store import Store
from lab.kube.tables import table
from lab.kube.verbs import decode, write
from lab.kube.writes import APPLY, Options, Writes, scale_of

BIGGEST_BODY = 3 * 1024 * 1024
_PROXY = re.compile(r"/api/v1/namespaces/([^/]+)/services/([^/]+)/proxy(/.*)")
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Request(msgspec.Struct, frozen=True):
    """A request of somebody who is known."""

    method: str
    path: str
    query: dict[str, str]
    user: User
    body: bytes = b""
    content_type: str = "application/json"
    # The program that asks: it manages fields that a plain write changes.
    agent: str = "unknown"
    # Whether the answer shall be a table, as kubectl prints it.
    as_table: bool = False
    warn: Callable[[str], None] = lambda text: None


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and parameters of a request's target."""
    url = urlsplit(target)
    return url.path, dict(parse_qsl(url.query, keep_blank_values=True))


def about_no_object(writes: Writes, request: Request) -> tuple[int, Any] | None:
    """The answer to discovery and to questions about access; None for everything that is about objects."""
    if request.method == "GET" and (found := document(request.path)) is not None:
        return 200, found
    if request.path == _REVIEWS:
        return 201, _review(writes.store, request.user, decode(request.body, request.content_type))
    if request.method == "GET" and (through := _PROXY.fullmatch(request.path)):
        return _proxied(writes, request, *through.groups())
    return None


def _proxied(writes: Writes, request: Request, namespace: str, name: str, path: str) -> tuple[int, Any]:
    """What a Service answers, asked through the API."""
    if not allowed(writes.store, request.user, Ask("get", "", "services/proxy", namespace, name)):
        message = (
            f'services "{name}" is forbidden: User "{request.user.name}" cannot get resource "services/proxy"'
        )
        raise ApiError(403, "Forbidden", message)
    if (behind := writes.behind.get(f"{namespace}/{name}")) is None:
        raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
    return 200, behind(path)


def routed(request: Request) -> Route:
    """What a request is about, or 404."""
    about = route(request.method, request.path, request.query)
    if about is None:
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    return about


def admit(writes: Writes, about: Route, request: Request) -> None:
    """Raise 403 for what the user may not, 413 for what is too big."""
    user = request.user
    # A namespace itself counts as in it, so that a Role there can let somebody read it.
    namespace = about.name if about.kind is NAMESPACE else about.namespace
    ask = Ask(about.verb, about.kind.group, about.resource, namespace, about.name)
    if not allowed(writes.store, user, ask):
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        named = f' "{about.name}"' if about.name else ""
        message = (
            f'{about.kind.resource}{named} is forbidden: User "{user.name}" cannot {about.verb} '
            f'resource "{about.resource}" in API group "{about.kind.group}"{where}'
        )
        raise ApiError(403, "Forbidden", message, details={"name": about.name, "kind": about.kind.plural})
    if len(request.body) > BIGGEST_BODY:
        raise ApiError(413, "RequestEntityTooLarge", f"limit is {BIGGEST_BODY} bytes")


def perform(writes: Writes, about: Route, request: Request) -> tuple[int, Any]:
    """Read or write; the answer's code and body. Not for watches, which have no one answer."""
    if about.verb == "list":
        objects, metadata = listed(writes.store, about, request.query)
        return 200, _many(writes, about.kind, objects, metadata, request)
    with writes.store.lock:
        if about.verb == "get":
            found = writes.existing(about.kind, about.namespace, about.name)
            return 200, _one(writes, about, found, request)
        value = decode(request.body, request.content_type) if request.body else {}
        return write(writes, about, value, request.content_type, _options(request))


def answer(writes: Writes, request: Request) -> tuple[int, Any]:
    """All of it, for whoever needs nothing in between; refusals are answers, too."""
    try:
        if (found := about_no_object(writes, request)) is not None:
            return found
        about = routed(request)
        admit(writes, about, request)
        if about.verb == "watch":
            raise ApiError(405, "MethodNotAllowed", "a watch has no one answer")
        return perform(writes, about, request)
    except ApiError as error:
        return error.code, error.status()


def tabled(
    writes: Writes, kind: Kind, objects: list[Object], metadata: dict[str, Any], request: Request
) -> dict[str, Any]:
    """Objects as a table."""
    made = table(kind, objects, metadata, writes.now())
    if request.query.get("includeObject") == "Object":
        for row, value in zip(made["rows"], objects, strict=True):
            row["object"] = value
    return made


def _review(store: Store, user: User, review: Any) -> Object:
    wanted = review.get("spec", {}).get("resourceAttributes") or {}
    resource = wanted.get("resource", "")
    if sub := wanted.get("subresource"):
        resource += f"/{sub}"
    ask = Ask(
        wanted.get("verb", ""),
        wanted.get("group", ""),
        resource,
        wanted.get("namespace", ""),
        wanted.get("name", ""),
    )
    return {**review, "status": {"allowed": allowed(store, user, ask)}}


def _options(request: Request) -> Options:
    query = request.query
    return Options(
        manager=query.get("fieldManager") or ("unknown" if request.content_type in APPLY else request.agent),
        dry_run=query.get("dryRun") == "All",
        force=query.get("force") == "true",
        validation=query.get("fieldValidation") or "Warn",
        warn=request.warn,
    )


def _one(writes: Writes, about: Route, value: Object, request: Request) -> Any:
    if about.subresource == "scale":
        return scale_of(about.kind, value)
    if about.subresource == "log":
        lines = writes.logs(value).splitlines(keepends=True)
        return "".join(lines[-int(request.query.get("tailLines") or len(lines) or 1) :])
    if request.as_table:
        metadata = {"resourceVersion": value["metadata"]["resourceVersion"]}
        return tabled(writes, about.kind, [value], metadata, request)
    return value


def _many(
    writes: Writes, kind: Kind, objects: list[Object], metadata: dict[str, Any], request: Request
) -> Any:
    if request.as_table:
        return tabled(writes, kind, objects, metadata, request)
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": objects,
    }
