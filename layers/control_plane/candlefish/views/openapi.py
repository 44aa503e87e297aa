"""The API as an OpenAPI 3.1 document, from the rows of `routes` and the types that they name; nothing of it is written by hand.

https://spec.openapis.org/oas/v3.1.0. docs/openapi.json is this (`python -m tools.openapi`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from candlefish.catalog.model import Role
from candlefish.release.asked_by_http import ABORT, ROLLBACK, AbortAsked, RollbackAsked
from candlefish.release.decide_approval import ApprovalDecision
from candlefish.release.freeze import FreezeCommand, FreezesInForce
from candlefish.release.model import Answered
from candlefish.release.request_release import Started
from candlefish.release.steer_release import SteerCommand, Steered
from candlefish.views.routes import LONGEST_VALUE, OPENAPI, VIEW_ROUTES, ViewRoute
from candlefish.views.sign_in import PATH as SESSION
from candlefish.views.sign_in import Session, SessionAsked, WayIn
from candlefish.web import PROBLEM, Problem

VERSION = "1"
SCHEMAS = "#/components/schemas/"
STEER = "/v1/releases/{release}/"
# What a name in a path is made of (`web.matched`).
PART = {"type": "string", "pattern": "^[A-Za-z0-9._=@+-]{1,80}$"}
REFUSALS = {
    "400": "What was asked is not as it must be; `detail` says what to mend.",
    "401": "No token that counts was shown.",
    "403": "Whoever it is may not do this; `detail` says whom to ask.",
    "404": "There is no such thing.",
    "409": "The state of things does not allow it now.",
    "503": "Something that is needed does not answer; ask again later.",
}


class Action(msgspec.Struct, frozen=True):
    """Something to do: what is posted (less what the path says), and what comes back. `role` None: who signs in."""

    path: str
    name: str
    takes: type[Any]
    gives: type[Any]
    summary: str
    role: Role | None
    # Fields of what is taken that the path says without naming them.
    said: tuple[str, ...] = ()


def _steer(name: str, summary: str) -> Action:
    return Action(f"{STEER}{name}", name, SteerCommand, Steered, summary, "operator", ("action",))


ACTIONS = (
    Action(
        f"{STEER}answers",
        "answer",
        ApprovalDecision,
        Answered,
        "Answer the open question of a release.",
        "approver",
    ),
    _steer("pause", "Let a release stay where it is."),
    _steer("resume", "Let a paused release go on."),
    _steer("promote", "Promote a release without what is left of it."),
    Action(ABORT, "abort", AbortAsked, Started, "Take back a release that runs.", "operator"),
    Action(
        ROLLBACK,
        "rollback",
        RollbackAsked,
        Started,
        "Put all traffic of a service back on the version that is known to be good.",
        "operator",
    ),
    Action(
        "/v1/freezes",
        "freeze",
        FreezeCommand,
        FreezesInForce,
        "Freeze releases at once.",
        "operator",
        ("action",),
    ),
    Action(
        "/v1/freezes/lift",
        "lift",
        FreezeCommand,
        FreezesInForce,
        "Lift a freeze that was asked for.",
        "operator",
        ("action", "until"),
    ),
    Action(SESSION, "exchange", SessionAsked, Session, "Give the token for the code of a sign-in.", None),
)


def document() -> dict[str, Any]:
    """The document."""
    types = {row.shows for row in VIEW_ROUTES} | {WayIn, Problem}
    for action in ACTIONS:
        types |= {action.takes, action.gives}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=SCHEMAS + "{name}")
    schemas = _portable(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for row in VIEW_ROUTES:
        paths.setdefault(row.path, {})["get"] = _look(row)
    paths[OPENAPI] = {"get": _operation("openapi", "This document.", "reader", {"type": "object"}, OPENAPI)}
    paths[SESSION] = {"get": _operation("way_in", "Say where to sign in.", None, _ref(WayIn), SESSION)}
    posted = {}
    for action in ACTIONS:
        paths.setdefault(action.path, {})["post"] = _act(action)
        name, schema = _posted(action, schemas)
        posted[name] = schema
    # What is posted whole, under its own name, stands nowhere else.
    for action in ACTIONS:
        schemas.pop(action.takes.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Candlefish",
            "version": VERSION,
            "description": "What people see of an environment, and what they do there. Times are epoch seconds.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"issuer": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, **posted},
            "securitySchemes": {
                "issuer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the issuer that the catalog names; the command line signs with IAM instead, "
                    "at the function's own address.",
                }
            },
        },
    }


def _portable(value: Any) -> Any:
    """Schemas with patterns as JSON Schema has them (ECMA-262): characters that no text shows are written as escapes.

    Halves of surrogate pairs are left out: JSON has no text with one.
    """
    if isinstance(value, dict):
        return {
            name: _pattern(each) if name == "pattern" else _portable(each) for name, each in value.items()
        }
    return [_portable(each) for each in value] if isinstance(value, list | tuple) else value


def _pattern(written: str) -> str:
    plain = written.replace("\\Z", "$").replace("\ud800-\udfff", "")
    return "".join(each if " " <= each <= "~" else f"\\u{ord(each):04x}" for each in plain)


def _look(row: ViewRoute) -> dict[str, Any]:
    made = _operation(row.view, row.summary, row.role, _ref(row.shows), row.path)
    for parameter in row.query:
        made["parameters"].append(
            {
                "name": parameter.name,
                "in": "query",
                "required": False,
                "description": parameter.says,
                "schema": {"type": "string", "maxLength": LONGEST_VALUE},
            }
        )
    headers = {"etag": {"schema": {"type": "string"}, "description": "Send it back as If-None-Match."}}
    made["responses"]["200"]["headers"] = headers
    made["responses"]["304"] = {"description": "The reader has it already."}
    return made


def _act(action: Action) -> dict[str, Any]:
    made = _operation(action.name, action.summary, action.role, _ref(action.gives), action.path)
    schema = {"$ref": SCHEMAS + _body_name(action)}
    made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return made


def _operation(
    name: str, summary: str, role: Role | None, schema: Mapping[str, Any], path: str
) -> dict[str, Any]:
    refused = {"content": {PROBLEM: {"schema": _ref(Problem)}}}
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [
            {"name": part, "in": "path", "required": True, "schema": PART} for part in _parts(path)
        ],
        "responses": {
            "200": {"description": summary, "content": {"application/json": {"schema": dict(schema)}}},
            **{status: {"description": words, **refused} for status, words in REFUSALS.items()},
        },
    }
    if role is None:
        made["security"] = []
    else:
        made["x-role"] = role
    return made


def _posted(action: Action, schemas: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What is posted: the type that is taken, without what the path says."""
    whole = schemas[action.takes.__name__]
    path = {*_parts(action.path), *action.said}
    return _body_name(action), {
        **whole,
        "title": _body_name(action),
        "properties": {name: spec for name, spec in whole["properties"].items() if name not in path},
        "required": [name for name in whole.get("required", ()) if name not in path],
    }


def _body_name(action: Action) -> str:
    return f"{action.name.title().replace('_', '')}Body"


def _parts(path: str) -> Iterable[str]:
    return re.findall(r"\{(\w+)\}", path)


def _ref(kind: type[Any]) -> dict[str, str]:
    return {"$ref": SCHEMAS + kind.__name__}
