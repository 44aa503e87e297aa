"""Lambda function URLs, each on a port of its own on 127.0.0.1.

Requests become events of format 2.0. `AuthType: AWS_IAM` checks the signature against the secrets
that IAM and STS in the lab gave out, and passes on who signed. IAM says who may call: it takes two permissions,
by the caller's policies or the function's.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec
from moto.awslambda.models import FunctionUrlConfig
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from lab.aws import signature
from lab.aws.format2 import Request, answer, came_in, context, event, translate
from lab.iam.policies import Ask
from lab.moto import wrap
from lab.moto.iam import ANYBODY, Authority
from lab.moto.lambdas import Lambdas
from lab.pace import Pace
from lab.web import HttpServer


class Identity(msgspec.Struct, frozen=True):
    """Who signed a request."""

    arn: str
    user_id: str
    key: str
    secret: str


class FunctionUrls:
    """Serves every function URL in the account."""

    def __init__(self, lambdas: Lambdas, account: str, pace: Pace, authority: Authority) -> None:
        self._lambdas = lambdas
        self._authority = authority
        self._pace = pace
        self._account = account
        self._servers: list[HttpServer] = []
        self._functions: dict[str, str] = {}

    def install(self) -> None:
        """Make moto's function URLs real."""

        def init(original: Callable[..., Any]) -> Callable[..., Any]:
            def make(config: Any, function: Any, wanted: dict[str, Any]) -> None:
                original(config, function, wanted)
                config.url = self.serve(config)

            # moto names the second one so.
            return lambda self, function, config: make(self, function, config)

        wrap(FunctionUrlConfig, "__init__", init)

    def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def serve(self, config: Any) -> str:
        """Serve one of moto's function URLs on a port of its own; where it is."""
        urls = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                urls.handle(self, config)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """The function's own log says what happened."""

        server = HttpServer(("127.0.0.1", 0), Handler)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name="function-url", daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        self._functions[url] = config.function.function_name
        return url

    def function_at(self, url: str) -> str:
        """The name of the function that a URL calls."""
        return self._functions[url]

    def handle(self, connection: BaseHTTPRequestHandler, config: Any) -> None:
        """Answer a request with what the function answers."""
        self._pace.stir()
        request = came_in(connection)
        if request is None:
            answer(connection, 413, {"Message": "Request Too Long"}, close=True)
            return
        identity = None
        if config.config.get("AuthType") == "AWS_IAM":
            identity = self.who(request)
            if identity is None:
                answer(connection, 403, {"Message": "Forbidden"})
                return
        if self._refused(config, identity):
            answer(connection, 403, {"Message": "Forbidden"})
            return
        about = context(request, config.function.function_name, self._account if identity else "anonymous")
        if identity is not None:
            about["authorizer"] = {"iam": _signer(identity, self._account)}
        sent = json.dumps(event(request, about)).encode()
        outcome = self._lambdas.call(self._function(config), sent)
        if outcome.error == "Throttled":
            answer(connection, 429, {"Message": "Rate Exceeded."})
        elif outcome.error:
            answer(connection, 502, {"Message": "Internal Server Error"})
        else:
            translate(connection, outcome.payload)

    def _refused(self, config: Any, identity: Identity | None) -> str:
        """Why IAM lets nobody, or not who signed, call a URL; empty when it does."""
        auth = config.config.get("AuthType")
        arn = config.function.function_arn.split(":$")[0]
        if qualifier := getattr(config, "qualifier", ""):
            arn = f"{arn}:{qualifier}"
        asks = [
            Ask("lambda:InvokeFunctionUrl", arn, (("lambda:FunctionUrlAuthType", (auth,)),)),
            Ask("lambda:InvokeFunction", arn, (("lambda:InvokedViaFunctionUrl", ("true",)),)),
        ]
        if identity is None:
            return self._authority.refuse(ANYBODY, asks)
        caller = self._authority.caller(identity.key)
        return self._authority.refuse(caller, asks) if caller else "nobody's key"

    def _function(self, config: Any) -> Any:
        """What a URL calls now: its function, or the version that its alias points at."""
        fn = config.function
        if qualifier := getattr(config, "qualifier", ""):
            return self._lambdas.find(f"{fn.function_arn}:{qualifier}", fn.account_id, fn.region)
        return fn

    def who(self, request: Request) -> Identity | None:
        """Who signed the request, or None when nobody known did."""
        signed = signature.read(request.headers.get("authorization", ""))
        if signed is None:
            return None
        identity = self.identity(signed.key)
        if identity is None or not signature.valid(
            signed, identity.secret, **msgspec.structs.asdict(request)
        ):
            return None
        return identity

    def identity(self, access_key: str) -> Identity | None:
        """The IAM user or assumed role that an access key was given to."""
        for user in iam_backends[self._account]["aws"].users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key:
                    return Identity(user.arn, user.id, access_key, key.secret_access_key)
        for role in sts_backends[self._account]["aws"].assumed_roles:
            if role.access_key_id == access_key:
                return Identity(role.arn, role.user_id, access_key, role.secret_access_key)
        return None


def _signer(identity: Identity, account: str) -> dict[str, Any]:
    """Who signed, as the event says it."""
    return {
        "accessKey": identity.key,
        "accountId": account,
        "callerId": identity.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": identity.arn,
        "userId": identity.user_id,
    }
