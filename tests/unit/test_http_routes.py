"""The lab's HTTP APIs choose routes as API Gateway does, and refuse what they cannot play."""

from __future__ import annotations

from typing import Any

import pytest

from lab.aws.http_apis import Authorizer, routes_of
from lab.web import HttpServer

URI = "arn:aws:apigateway:us-west-2:lambda:path/2015-03-31/functions/arn:aws:lambda:us-west-2:1:function:{}:live/invocations"


def integration(name: str) -> dict[str, Any]:
    return {
        "x-amazon-apigateway-integration": {"$ref": f"#/components/x-amazon-apigateway-integrations/{name}"}
    }


def body(**changed: Any) -> dict[str, Any]:
    signed = {"security": [{"Issuer": []}], **integration("look")}
    authorizer = {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": "https://login.example.org", "audience": ["page"]},
        **changed,
    }
    return {
        "paths": {
            "/v1/{proxy+}": {"get": signed},
            "/v1/things/{id}": {"get": signed, "post": {"security": [{"Issuer": []}], **integration("act")}},
            "/v1/things/one": {"get": signed},
            "/": {"get": integration("page")},
        },
        "components": {
            "securitySchemes": {"Issuer": {"type": "oauth2", "x-amazon-apigateway-authorizer": authorizer}},
            "x-amazon-apigateway-integrations": {
                name: {"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": URI.format(name)}
                for name in ("look", "act", "page")
            },
        },
    }


@pytest.mark.parametrize(
    ("method", "path", "key", "named"),
    [
        ("GET", "/v1/things/one", "GET /v1/things/one", {}),
        ("GET", "/v1/things/two", "GET /v1/things/{id}", {"id": "two"}),
        ("GET", "/v1/things/two/more", "GET /v1/{proxy+}", {"proxy": "things/two/more"}),
        ("POST", "/v1/things/one", "POST /v1/things/{id}", {"id": "one"}),
        ("GET", "/", "GET /", {}),
        ("POST", "/v1/elsewhere", None, None),
        ("GET", "/v1", None, None),
        ("GET", "/v1/", None, None),
    ],
)
def test_the_most_specific_route_is_taken(
    method: str, path: str, key: str | None, named: dict[str, str] | None
) -> None:
    routes = sorted(routes_of(body()), key=lambda route: route.order)
    found = [(route.key, said) for route in routes if (said := route.match(method, path)) is not None]
    assert (found[0] if found else (None, None)) == (key, named)


def test_a_route_has_the_authorizer_that_it_names() -> None:
    who = {route.key: route.authorizer for route in routes_of(body())}
    assert who["GET /"] is None
    assert who["POST /v1/things/{id}"] == Authorizer("https://login.example.org", ("page",))
    assert {route.function for route in routes_of(body())} == {
        f"arn:aws:lambda:us-west-2:1:function:{name}:live" for name in ("look", "act", "page")
    }


@pytest.mark.parametrize("changed", [{"type": "request"}, {"identitySource": "$request.querystring.token"}])
def test_what_the_lab_does_not_play_is_said(changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="JWT authorizers"):
        routes_of(body(**changed))


def test_another_payload_format_is_said() -> None:
    wrong = body()
    wrong["components"]["x-amazon-apigateway-integrations"]["act"]["payloadFormatVersion"] = "1.0"
    with pytest.raises(ValueError, match="with format"):
        routes_of(wrong)


@pytest.mark.parametrize(("error", "told"), [(BrokenPipeError(), False), (ValueError("a fault"), True)])
def test_a_browser_that_goes_away_is_no_news_and_a_fault_is(
    error: Exception, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    server = HttpServer.__new__(HttpServer)
    try:
        raise error
    except type(error):
        server.handle_error(None, ("127.0.0.1", 1))
    assert bool(capsys.readouterr().err) == told
