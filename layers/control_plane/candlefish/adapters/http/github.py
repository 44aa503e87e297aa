"""GitHub's REST API, as far as a release is told there: a deployment with its status, and the status of a commit.

Who speaks is a GitHub App's installation, or a fine-grained token; either is a secret, and needs to write deployments and
commit statuses of the repositories. A token is never logged and in no error's text.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from candlefish.bounds import NO_JSON
from candlefish.errors import Misconfigured, Throttled, Unavailable
from candlefish.ports import Now
from candlefish.release.model import Progress

VERSION = "2022-11-28"
ATTEMPTS = 4
# Seconds that this function waits when GitHub names a time; longer is somebody else's to wait.
LONGEST_WAIT = 8.0
# An installation's token lives an hour, the proof of an App ten minutes at most; clocks differ. Seconds.
RENEW_BEFORE, PROOF_LIVES, SKEW = 300.0, 540.0, 60.0
CONTEXT = "candlefish/{environment}/{service}"


class AppKey(msgspec.Struct, frozen=True):
    """What the secret holds for a GitHub App."""

    app_id: str | int
    installation_id: str | int
    private_key: str


class _Token(msgspec.Struct):
    token: str


class GitHubStatuses:
    """`release.ports.CodeHost`. `secret` reads the token, or an App's key as JSON like `AppKey`."""

    def __init__(
        self, api: str, secret: Callable[[], str], now: Now, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not api.startswith(("https://", "http://127.0.0.1:")):
            raise Misconfigured(f"GitHub's API is {api!r}, which is no https address")
        self._api, self._secret, self._now, self._sleep = api.rstrip("/"), secret, now, sleep
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=5))
        self._token, self._until = "", float("-inf")
        self._deployments: dict[str, int] = {}

    def tell(self, progress: Progress) -> None:
        repository = f"/repos/{quote(progress.repository)}"
        link = self._run(progress)
        deployment = self._deployments.get(progress.release) or self._deployment(repository, progress)
        self._deployments[progress.release] = deployment
        self._call(
            "POST",
            f"{repository}/deployments/{deployment}/statuses",
            {
                "state": progress.deployment,
                "description": progress.says,
                "environment": progress.environment,
                "log_url": link,
                # Other services of the repository are deployed to the same environment, and stay.
                "auto_inactive": False,
            },
        )
        context = CONTEXT.format(environment=progress.environment, service=progress.service)
        self._call(
            "POST",
            f"{repository}/statuses/{quote(progress.sha)}",
            {"state": progress.commit, "description": progress.says, "context": context, "target_url": link},
        )

    def _run(self, progress: Progress) -> str:
        site = self._api.replace("https://api.", "https://", 1).removesuffix("/api/v3")
        return f"{site}/{progress.repository}" + (f"/actions/runs/{progress.run}" if progress.run else "")

    def _deployment(self, repository: str, progress: Progress) -> int:
        """The deployment of a release; made where there is none. Of two that were made at once, the first counts."""
        task = f"candlefish:{progress.release}"
        search = urlencode({"sha": progress.sha, "task": task, "environment": progress.environment})
        known = self._found(repository, search)
        if not known:
            made = self._call(
                "POST",
                f"{repository}/deployments",
                {
                    "ref": progress.sha,
                    "task": task,
                    "environment": progress.environment,
                    "description": f"{progress.service} by the Candlefish control plane",
                    "payload": {"release": progress.release, "service": progress.service},
                    # It is under way already: nothing is merged, and no check is waited for.
                    "auto_merge": False,
                    "required_contexts": [],
                },
            )
            known = [*self._found(repository, search), _id_of(made)]
        return min(known)

    def _found(self, repository: str, search: str) -> list[int]:
        found = self._call("GET", f"{repository}/deployments?{search}&per_page=100")
        return [_id_of(each) for each in found] if isinstance(found, list) else []

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._ask(method, path, body, self._authorization())

    def _authorization(self) -> str:
        if self._now() < self._until:
            return self._token
        secret = self._secret().strip()
        if not secret.startswith("{"):
            # People put another in its place; it is read again now and then.
            self._token, self._until = secret, self._now() + RENEW_BEFORE
            return secret
        try:
            key = msgspec.json.decode(secret, type=AppKey)
        except NO_JSON:
            # The decoder's message would quote the secret.
            raise Misconfigured(
                'the secret of GitHubStatusSecretArn must be a token, or like {"app_id": "...", "installation_id": "...", '
                '"private_key": "-----BEGIN ..."} (docs/ci.md)'
            ) from None
        path = f"/app/installations/{quote(str(key.installation_id))}/access_tokens"
        made = self._ask("POST", path, {}, self._proof(key))
        try:
            self._token = msgspec.convert(made, _Token).token
        except msgspec.ValidationError:
            raise Unavailable("GitHub gave no token for the App's installation; look again") from None
        self._until = self._now() + 3600.0 - RENEW_BEFORE
        return self._token

    def _proof(self, key: AppKey) -> str:
        import jwt

        now = self._now()
        claims = {"iat": int(now - SKEW), "exp": int(now - SKEW + PROOF_LIVES), "iss": str(key.app_id)}
        try:
            return jwt.encode(claims, key.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise Misconfigured(
                "the private_key in the secret of GitHubStatusSecretArn is no RSA key in PEM; download a new one from the "
                "App's page and store it with its line breaks"
            ) from None

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> Any:
        what = f"{method} {path.partition('?')[0]}"
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {token}",
            "user-agent": "candlefish-control-plane",
            "x-github-api-version": VERSION,
        }
        why = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(0.4 * 2**attempt)
            try:
                answer = self._pool.request(
                    method,
                    f"{self._api}{path}",
                    body=None if body is None else msgspec.json.encode(body),
                    headers=headers,
                )
            except urllib3.exceptions.HTTPError as error:
                why = f"no answer ({type(error).__name__})"
                continue
            if answer.status < 300:
                return _read(answer.data, what)
            said = answer.data[:200].decode(errors="replace")
            why = f"{answer.status} {said}"
            if (wait := _asked_to_wait(answer.status, answer.headers, said, self._now())) is not None:
                if wait > LONGEST_WAIT:
                    raise Throttled(f"GitHub asks for {wait:.0f} s before {what}; it will be tried again")
                self._sleep(wait)
            elif answer.status < 500:
                self._until = float("-inf")
                raise Misconfigured(f"GitHub refused {what}: {why}; {NEXT.get(answer.status, NEXT[403])}")
        raise Unavailable(f"{what} at GitHub: {why}; it will be tried again")


NEXT = {
    401: "the token in the secret of GitHubStatusSecretArn has ended or is none; store a new one",
    403: "the App or the token must write `deployments` and `statuses` of the repository (docs/ci.md)",
    404: "the App is not installed for the repository, or the token does not reach it (docs/ci.md)",
    422: "the commit is no longer in the repository, or GitHub does not take what was said",
}


def _asked_to_wait(status: int, headers: Mapping[str, str], said: str, now: float) -> float | None:
    """How many seconds GitHub wants to be left alone, by its primary or secondary limits; None if it does not say so."""
    if status not in (403, 429):
        return None
    if (after := headers.get("retry-after", "")).isdecimal():
        return float(after)
    if (
        headers.get("x-ratelimit-remaining") == "0"
        and (at := headers.get("x-ratelimit-reset", "")).isdecimal()
    ):
        return max(float(at) - now, 1.0)
    # GitHub: wait a minute where nothing else is said.
    return 60.0 if status == 429 or "secondary rate limit" in said else None


def _read(data: bytes, what: str) -> Any:
    try:
        return msgspec.json.decode(data) if data else None
    except NO_JSON as error:
        raise Unavailable(f"{what} at GitHub: its answer cannot be read") from error


def _id_of(deployment: Any) -> int:
    if not isinstance(deployment, dict) or not isinstance(deployment.get("id"), int):
        raise Unavailable("GitHub's answer names no deployment; look again")
    return int(deployment["id"])
