"""API Gateway's HTTP APIs, each on a port of its own on 127.0.0.1, made from the OpenAPI that CloudFormation is given.

Routes with `aws_proxy` integrations of payload format 2.0, and JWT authorizers: what AWS checks of a token, and what it
answers without one (401, `{"message":"Unauthorized"}`). Only RS256 counts, as AWS takes RSA alone. API Gateway needs the
function's permission.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import msgspec

from lab.aws.format2 import answer, came_in, context, event, translate
from lab.iam.policies import Ask
from lab.moto.iam import Authority
from lab.moto.lambdas import Lambdas
from lab.pace import Pace
from lab.web import HttpServer

_METHODS = ("get", "post", "put", "delete", "patch", "head", "options")
_INVOKED = re.compile(r"functions/(arn:[^/]+)/invocations")


class Authorizer(msgspec.Struct, frozen=True):
    """A JWT authorizer: who must have signed a token, and for whom."""

    issuer: str
    audience: tuple[str, ...]


class Route(msgspec.Struct, frozen=True):
    """A route: the function that it calls, and who has to sign in."""

    method: str
    path: str
    function: str
    authorizer: Authorizer | None = None

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def order(self) -> tuple[bool, int]:
        """What is most specific comes first: greedy paths last, then by how much is a variable."""
        return "+}" in self.path, self.path.count("{")

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """What the path names; None where the route is for something else."""
        if method != self.method:
            return None
        parts = re.split(r"\{(\w+\+?)\}", self.path)
        pattern = "".join(
            f"(?P<{part.rstrip('+')}>{'.+' if part.endswith('+') else '[^/]+'})"
            if number % 2
            else re.escape(part)
            for number, part in enumerate(parts)
        )
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


class _Served:
    """One API: its routes now, and the server that has them."""

    def __init__(self, api: str, region: str) -> None:
        self.api, self.region = api, region
        self.routes: list[Route] = []
        self.server: HttpServer | None = None
        self.url = ""


class HttpApis:
    """Serves every HTTP API in the account."""

    def __init__(self, lambdas: Lambdas, account: str, pace: Pace, authority: Authority) -> None:
        self._lambdas, self._account, self._pace, self._authority = lambdas, account, pace, authority
        self._apis: dict[str, _Served] = {}
        # Keys of issuers, by address and id.
        self._keys: dict[tuple[str, str], Any] = {}
        # How often each route was asked for: `GET /v1/fleet` of an API's id.
        self.asked: dict[tuple[str, str], int] = {}

    def makers(self) -> dict[str, Callable[..., tuple[str, dict[str, Any]]]]:
        """How CloudFormation makes them."""
        return {"AWS::ApiGatewayV2::Api": self._make, "AWS::ApiGatewayV2::Stage": _stage}

    def _make(
        self, props: Mapping[str, Any], name: str, client: Callable[[str], Any]
    ) -> tuple[str, dict[str, Any]]:
        """An API, or one that is there with other routes: it stays where it is."""
        served = self._apis.get(name)
        if served is None:
            served = _Served(
                hashlib.sha256(name.encode()).hexdigest()[:10], client("lambda").meta.region_name
            )
            self._apis[served.api] = served
            self._serve(served)
        served.routes = sorted(routes_of(props["Body"]), key=lambda route: route.order)
        return served.api, {"ApiEndpoint": served.url, "ApiId": served.api}

    def close(self) -> None:
        """Stop serving."""
        for served in self._apis.values():
            if served.server is not None:
                served.server.shutdown()
                served.server.server_close()

    def _serve(self, served: _Served) -> None:
        apis = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                apis.handle(self, served)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """The functions' own logs say what happened."""

        served.server = HttpServer(("127.0.0.1", 0), Handler)
        served.url = f"http://127.0.0.1:{served.server.server_port}"
        threading.Thread(target=served.server.serve_forever, name="http-api", daemon=True).start()

    def handle(self, connection: BaseHTTPRequestHandler, served: _Served) -> None:
        """Answer a request with what the route's function answers."""
        self._pace.stir()
        request = came_in(connection)
        if request is None:
            answer(connection, 413, {"message": "Request Entity Too Large"}, close=True)
            return
        route, named = next(
            (
                (route, named)
                for route in served.routes
                if (named := route.match(request.method, request.path)) is not None
            ),
            (None, {}),
        )
        if route is None:
            answer(connection, 404, {"message": "Not Found"})
            return
        counted = (served.api, route.key)
        self.asked[counted] = self.asked.get(counted, 0) + 1
        about = context(request, served.api, self._account, route=route.key)
        if route.authorizer is not None:
            claims, wrong = self._who(request.headers.get("authorization", ""), route.authorizer)
            if claims is None:
                # AWS says why in this header alone.
                said = (
                    f'Bearer scope="" error="invalid_token" error_description="{wrong}"'
                    if wrong
                    else "Bearer"
                )
                answer(connection, 401, {"message": "Unauthorized"}, headers={"www-authenticate": said})
                return
            about["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        arn = route.function
        source = f"arn:aws:execute-api:{served.region}:{self._account}:{served.api}/$default/{route.method}{route.path}"
        refused = self._authority.refuse_service(
            "apigateway.amazonaws.com", Ask("lambda:InvokeFunction", arn), source
        )
        fn = self._lambdas.find(arn, self._account, served.region)
        if refused or fn is None:
            answer(connection, 500, {"message": "Internal Server Error"})
            return
        sent = json.dumps(event(request, about, route=route.key, named=named)).encode()
        outcome = self._lambdas.call(fn, sent)
        if outcome.error:
            answer(connection, 500, {"message": "Internal Server Error"})
        else:
            translate(connection, outcome.payload)

    def _who(self, header: str, wanted: Authorizer) -> tuple[dict[str, str] | None, str]:
        """What a token says, all of it as text, as AWS passes it on; or None, and what is wrong with it."""
        token = header.removeprefix("Bearer ").removeprefix("bearer ").strip()
        if not token:
            return None, ""
        try:
            header_of = jwt.get_unverified_header(token)
            key = self._key(wanted.issuer, str(header_of.get("kid", "")))
            if key is None:
                return None, "signature method or key is not valid"
            said = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_iat": False, "verify_exp": False, "verify_nbf": False},
            )
        except (jwt.PyJWTError, ValueError):
            return None, "the token is not valid"
        now = time.time()
        audience = said.get("aud", said.get("client_id"))
        if said.get("iss") != wanted.issuer:
            return None, "the token does not have a valid issuer"
        if not set(audience if isinstance(audience, list) else [audience]) & set(wanted.audience):
            return None, "the token does not have a valid audience"
        if not isinstance(said.get("exp"), (int, float)) or said["exp"] <= now:
            return None, "the token has expired"
        if any(said.get(name, 0) > now for name in ("nbf", "iat")):
            return None, "the token is not valid yet"
        return {name: _text(value) for name, value in said.items()}, ""

    def _key(self, issuer: str, kid: str) -> Any:
        """A key that the issuer publishes; None where it has no such one."""
        if (issuer, kid) not in self._keys:
            about = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            for found in _fetch(about["jwks_uri"])["keys"]:
                self._keys[issuer, found["kid"]] = jwt.PyJWK(found, algorithm="RS256").key
        return self._keys.get((issuer, kid))


def routes_of(body: Mapping[str, Any]) -> list[Route]:
    """The routes of an API's OpenAPI document."""
    shared = body.get("components", {})
    authorizers = {
        name: scheme["x-amazon-apigateway-authorizer"]
        for name, scheme in shared.get("securitySchemes", {}).items()
    }
    found = []
    for path, item in body["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            integration = item[method]["x-amazon-apigateway-integration"]
            if "$ref" in integration:
                integration = shared["x-amazon-apigateway-integrations"][
                    integration["$ref"].rpartition("/")[2]
                ]
            invoked = _INVOKED.search(integration["uri"])
            if integration["payloadFormatVersion"] != "2.0" or invoked is None:
                raise ValueError(
                    f"the lab's HTTP APIs call functions, with format 2.0; {method} {path} does not"
                )
            who = next(
                (authorizers[name] for need in item[method].get("security", ()) for name in need), None
            )
            found.append(Route(method.upper(), path, invoked[1], _authorizer(who) if who else None))
    return found


def _authorizer(said: Mapping[str, Any]) -> Authorizer:
    if said["type"] != "jwt" or said["identitySource"] != "$request.header.Authorization":
        raise ValueError("the lab's HTTP APIs have JWT authorizers, by the header Authorization")
    config = said["jwtConfiguration"]
    return Authorizer(config["issuer"], tuple(config["audience"]))


def _stage(props: Mapping[str, Any], name: str, client: Callable[[str], Any]) -> tuple[str, dict[str, Any]]:
    return props["StageName"], {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(_text(each) for each in value)}]"
    return value if isinstance(value, str) else json.dumps(value)


def _fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as found:
        return json.load(found)
