"""The API's document: as the standard wants it, as the code answers, and what is written is what is served."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import allow_header_conformance, unsupported_method

from candlefish.catalog.model import ROLES
from candlefish.views.openapi import ACTIONS, document
from candlefish.views.routes import OPENAPI, VIEW_ROUTES
from tests.support.served import TOKEN, application
from tests.support.views import SAMPLES
from tools.layers import ROOT
from tools.openapi import text
from tools.stack import http_routes
from tools.stack import read as read_stack

DOCUMENT = json.loads(text())
# Which methods an address has is API Gateway's to say.
NOT_OURS = [unsupported_method, allow_header_conformance]
schema = schemathesis.openapi.from_wsgi(
    "/v1/openapi.json", application, headers={"authorization": f"Bearer {TOKEN}"}
)


def test_it_is_a_document_of_the_standard() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"


def test_what_is_written_is_what_is_served() -> None:
    assert (ROOT / "docs" / "openapi.json").read_text() == text()
    assert json.loads(json.dumps(document())) == DOCUMENT


def test_every_row_stands_in_it_once_with_its_role() -> None:
    said = {
        (method, path): operation.get("x-role")
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }
    assert said == {
        **{("get", row.path): row.role for row in VIEW_ROUTES},
        **{("post", action.path): action.role for action in ACTIONS},
        ("get", OPENAPI): "reader",
        ("get", "/v1/session"): None,
    }
    assert set(said.values()) == {*ROLES, None}
    names = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)


def test_what_changes_something_is_a_route_of_the_template_with_a_token() -> None:
    """And what the template has beside that is the page, and looking."""
    routes = {route.key: route for route in http_routes(read_stack().resources)}
    posts = {f"POST {action.path}": action for action in ACTIONS}
    assert {key for key in routes if key.startswith("POST ")} == posts.keys()
    assert {key for key in routes if key.startswith("GET ")} == {
        "GET /v1/{proxy+}",
        "GET /v1/session",
        "GET /",
        "GET /assets/{proxy+}",
    }
    for key, action in posts.items():
        assert routes[key].signed == (action.role is not None), key
    assert routes["GET /v1/{proxy+}"].signed


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_as_the_document_says(name: str) -> None:
    kind = type(SAMPLES[name]()).__name__
    written = json.loads((ROOT / f"tests/fixtures/views/{name}.json").read_text())
    whole: dict[str, Any] = {"$ref": f"#/components/schemas/{kind}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(written)


@schema.parametrize()
@settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
def test_what_is_answered_is_what_the_document_says(case: Any) -> None:
    """Requests by the document and against it: no failure of ours, statuses and bodies as they are said to be."""
    case.call_and_validate(excluded_checks=NOT_OURS)
