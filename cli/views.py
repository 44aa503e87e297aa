"""What people see, asked of an environment's stack: `GET /v1/...` at the URL of its function `serve_views`.

Whoever asks signs with the credentials of this process; the stack says what that person may do.
"""

from __future__ import annotations

import json
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from candlefish.errors import InvalidInput, Misconfigured, NotAllowed, NotOnboarded, Unavailable
from candlefish.views.model import (
    AuditPage,
    CalendarView,
    CostView,
    FleetView,
    RecoveryView,
    ReleasesPage,
    ReleaseView,
    ServiceView,
    SignalsPage,
    TimelinePage,
)
from candlefish.web import BOUND_HEADER, PROOF_HEADER, bound
from cli import direct
from cli.signed_gets import Got, SignedGets, by_botocore
from cli.signing import Credentials, presigned

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.stack import Stack

T = TypeVar("T")
FUNCTION = "serve_views"
PROOF_SECONDS = 60


class NotThere(NotOnboarded):
    """There is no such service or release."""


class Views:
    """The views of one stack. What did not change since the last look is not sent again."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        # By address: the tag of the last answer, and its body.
        self._seen: dict[str, tuple[str, bytes]] = {}

    def release(self, name: str) -> ReleaseView:
        """A release as it stands."""
        return self.read(f"/v1/releases/{quote(name, safe='')}", ReleaseView)

    def service(self, name: str) -> ServiceView:
        """A service with its releases."""
        return self.read(f"/v1/services/{quote(name, safe='')}", ServiceView)

    def fleet(self) -> FleetView:
        """Everything at a glance."""
        return self.read("/v1/fleet", FleetView)

    def releases(self, service: str, before: str) -> ReleasesPage:
        """Older releases of a service."""
        return self.read(f"/v1/services/{quote(service, safe='')}/releases", ReleasesPage, before=before)

    def timeline(self, release: str, before: str) -> TimelinePage:
        """Older entries of a release."""
        return self.read(f"/v1/releases/{quote(release, safe='')}/timeline", TimelinePage, before=before)

    def signals(self, before: str = "", limit: int = 0) -> SignalsPage:
        """Signals, newest first."""
        return self.read("/v1/signals", SignalsPage, before=before, limit=str(limit or ""))

    def recovery(self) -> RecoveryView:
        """Whether we could recover."""
        return self.read("/v1/recovery", RecoveryView)

    def calendar(self) -> CalendarView:
        """When it is awake, and when nothing may be released."""
        return self.read("/v1/calendar", CalendarView)

    def cost(self) -> CostView:
        """What it costs this month."""
        return self.read("/v1/cost", CostView)

    def audit(self, before: str = "") -> AuditPage:
        """Who did what, newest first."""
        return self.read("/v1/audit", AuditPage, before=before)

    def read(self, path: str, kind: type[T], **query: str) -> T:
        """A view.

        Raises
        ------
        NotThere
            There is no such thing.
        NotAllowed, InvalidInput
            The stack refuses to show it.
        Misconfigured
            There is no stack, or an older one than this command, or its answer is not understood.
        Unavailable
            Nobody answered.
        """
        try:
            return msgspec.json.decode(self.text(path, **query), type=kind)
        except msgspec.MsgspecError as error:
            raise Misconfigured(
                f"{self._function} answers {path} in words that this command does not know ({error}); "
                "use the command of the stack's version"
            ) from error

    def text(self, path: str, **query: str) -> bytes:
        """A view as it was sent: JSON."""
        asked = {name: value for name, value in query.items() if value}
        address = f"{path}?{urlencode(asked, quote_via=quote)}" if asked else path
        tag, body = self._seen.get(address, ("", b""))
        headers = {"accept": "application/json", PROOF_HEADER: self._proof()}
        got = self._gets.get(address, {**headers, "if-none-match": tag} if tag else headers)
        if got.status == 304 and tag:
            return body
        if got.status != 200:
            raise _refusal(got, self._function, path)
        if new := got.headers.get("etag", ""):
            self._seen[address] = (new, got.body)
        return got.body

    @property
    def _function(self) -> str:
        return self._stack.function(FUNCTION)

    @cached_property
    def _gets(self) -> SignedGets:
        region = self._stack.region
        if direct.plain_credentials(region):
            return SignedGets(self._url(), region, self._credentials)
        return SignedGets(self._url(), region, self._credentials, by_botocore)

    def _credentials(self) -> Credentials:
        """Read anew: those of a session are renewed by botocore."""
        if plain := direct.plain_credentials(self._stack.region):
            return plain
        known = self._stack.credentials
        if known is None:
            from botocore.exceptions import NoCredentialsError

            raise NoCredentialsError
        now = known.get_frozen_credentials()
        return Credentials(now.access_key, now.secret_key, now.token or "")

    def _proof(self) -> str:
        """What proves to the function whose credentials these are (`adapters.aws.caller_proof`)."""
        region = self._stack.region
        # As caller_proof's own endpoint is chosen: the function asks STS of its own region.
        suffix = ".cn" if region.startswith("cn-") else ""
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or f"https://sts.{region}.amazonaws.com{suffix}"
        url = presigned(
            f"{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15",
            {BOUND_HEADER: bound(self._function, b"")},
            scope=(region, "sts"),
            credentials=self._credentials(),
            now=time.time(),
            expires=PROOF_SECONDS,
        )
        return url.partition("?")[2]

    def _url(self) -> str:
        """Where the function listens, as Lambda says; the reason in words where it says nothing."""
        region = self._stack.region
        if not direct.plain_credentials(region):
            return self._url_by_botocore()
        asked = SignedGets(direct.endpoint_of("lambda", "LAMBDA", region), region, self._credentials)

        def look(function: str) -> Got:
            return asked.get(f"/2021-10-31/functions/{self._stack.function(function)}/url?Qualifier=live")

        got = look(FUNCTION)
        if got.status == 404:
            raise Misconfigured(self._why_none(lambda: 200 <= look("request_release").status < 300))
        if not 200 <= got.status < 300:
            raise _refusal(got, "Lambda", "GetFunctionUrlConfig")
        return str(json.loads(got.body)["FunctionUrl"])

    def _url_by_botocore(self) -> str:
        from botocore.exceptions import ClientError

        client = self._stack.client("lambda")

        def look(function: str) -> str:
            found = client.get_function_url_config(
                FunctionName=self._stack.function(function), Qualifier="live"
            )
            return str(found["FunctionUrl"])

        def there() -> bool:
            try:
                return bool(look("request_release"))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                return False

        try:
            return look(FUNCTION)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise Misconfigured(self._why_none(there)) from error

    def _why_none(self, there: Callable[[], bool]) -> str:
        environment, region = self._stack.environment, self._stack.region
        if there():
            return (
                f"the stack candlefish-{environment} in {region} is older than this command: it has no function "
                f"{self._function} to ask. Deploy it (make deploy ENV={environment}), or use the command of its version"
            )
        return (
            f"there is no stack candlefish-{environment} in {region} of this account: nothing is deployed there, or "
            f"AWS_PROFILE means another account (aws sts get-caller-identity says which). docs/deploy.md deploys it"
        )


def _refusal(got: Got, whom: str, what: str) -> Exception:
    """What an answer that is no view means."""
    try:
        said = json.loads(got.body)
        words = next(
            (str(said[key]) for key in ("detail", "message", "Message", "title") if said.get(key)), ""
        )
    except (ValueError, AttributeError):
        words = ""
    words = words or f"{whom} answered {got.status} to {what}"
    if got.status == 404:
        return NotThere(words)
    if got.status in (401, 403):
        return NotAllowed(f"{words} (your credentials; docs/security.md says who may see what)")
    if got.status >= 500 or got.status == 429:
        return Unavailable(words)
    return InvalidInput(words)
