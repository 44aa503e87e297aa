"""Asking registries: logins, tokens, redirects, pages and waits, in the dialects that they speak.

What is shown to whom: a registry's login only to the registry itself and to the realm that belongs to it (the same host,
or one of `TOKENS_AT`); a realm elsewhere gets the login that the secret names for *that* host, or none. Tokens are kept
by registry and repository, and are shown to nobody else. A redirect to another host (blob storage) carries neither.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec
import urllib3

from candlefish.adapters.http.headers import Challenge, challenges, next_link, pause_of
from candlefish.adapters.http.references import Reference, ecr_region
from candlefish.bounds import decoded, fit
from candlefish.errors import InvalidInput, Misconfigured, Throttled, Unavailable
from candlefish.invocation import seconds_left
from candlefish.threads import learn

LARGEST = 8 * 1024 * 1024
# How often a request that is asked to wait is made, and how long it waits at most in between, in seconds.
TRIES = 3
LONGEST_WAIT = 10.0
# What a function still needs when it has waited, in seconds.
RESERVE = 15.0
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
TOO_MANY_REQUESTS = 429
WAIT = (TOO_MANY_REQUESTS, 502, 503, 504)
# What answers of a registry say without being an answer about the image.
NO_SUCH_API = (400, 404, 405, 406, 501)
# Registries whose tokens come from another host of the same owner.
TOKENS_AT = {
    "docker.io": "auth.docker.io",
    "registry.digitalocean.com": "api.digitalocean.com",
    "registry.gitlab.com": "gitlab.com",
}
# The better way first.
SCHEMES = ("bearer", "basic")
# Gives "user:password" for a registry's host, or "".
Credentials = Callable[[str], str]


class Answer(msgspec.Struct, frozen=True):
    """What came back for a request, after redirects."""

    status: int
    url: str
    body: bytes = b""
    challenge: str = ""
    link: str = ""
    location: str = ""
    retry_after: str = ""


class Token(msgspec.Struct, frozen=True):
    """What a realm gives; registries use either name."""

    token: str | None = None
    access_token: str | None = None


class OciClient:
    """Gets documents of registries. `endpoint` stands in for every registry's address when it is given."""

    def __init__(
        self,
        credentials: Credentials,
        endpoint: str = "",
        *,
        left: Callable[[], float] = seconds_left,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._left, self._sleep, self._now = left, sleep, now
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(2, status=0, backoff_factor=0.3, respect_retry_after_header=False),
            timeout=urllib3.Timeout(connect=2, read=8),
            maxsize=8,
        )
        # (registry, repository) -> what it takes for `authorization`.
        self._keys: dict[tuple[str, str], str] = {}
        # Registry -> the realm that its login was not shown to.
        self._withheld: dict[str, str] = {}

    def address(self, image: Reference, what: str) -> str:
        """Where a registry has something of an image's repository: `manifests/<digest>`, `blobs/<digest>`."""
        return f"{self._endpoint or f'https://{image.api}'}/v2/{image.name}/{what}"

    def get(self, image: Reference, url: str, accept: Iterable[str]) -> Answer:
        """What a registry answers, whatever that is, but for refusals and silence.

        Raises
        ------
        Misconfigured
            It does not let us read; or it names no address for a login that one may go to.
        Throttled, Unavailable
            It asks for more patience than this function has, or does not answer.
        """
        where, tried = (image.host, image.name), set[str]()
        kept = where in self._keys
        while True:
            answer = self._followed(url, accept, self._keys.get(where, ""))
            if answer.status == 403 and kept:
                # ECR says so of a login that has run out.
                kept = False
                self._keys.pop(where, None)
                continue
            key = self._new_key(answer, image, tried) if answer.status == 401 else ""
            if not key:
                break
            self._keys[where] = key
        if answer.status in (401, 403):
            raise Misconfigured(self._refused(answer, image))
        if answer.status == TOO_MANY_REQUESTS:
            raise Throttled(f"{image.host} asks us to wait{_so_long(answer)}; it is asked again later")
        if answer.status >= 500 and answer.status not in NO_SUCH_API:
            raise Unavailable(f"the registry answered {answer.status} for {url}")
        return answer

    def next_page(self, answer: Answer) -> str:
        """Where the next page of a list is; empty on the last one.

        Raises
        ------
        Misconfigured
            It is at another host.
        """
        if address := next_link(answer.link):
            url = urljoin(answer.url, address)
            if _origin(url) != _origin(answer.url):
                raise Misconfigured(
                    f"the registry's list goes on at another host ({fit(url, 200)}), which is not asked"
                )
            return url
        return ""

    # --- who asks -------------------------------------------------------------------------------

    def _new_key(self, answer: Answer, image: Reference, tried: set[str]) -> str:
        """What the first challenge that was not tried yet and can be met wants to see; empty when there is none.

        Raises
        ------
        Misconfigured
            The realm of the last one refuses.
        """
        refused: Misconfigured | None = None
        while (challenge := _best(answer, tried)) is not None:
            tried.add(challenge.scheme)
            try:
                if key := self._key(challenge, image):
                    return key
            except Misconfigured as error:
                refused = error
        if refused:
            raise refused
        return ""

    def _key(self, challenge: Challenge, image: Reference) -> str:
        """What the challenge wants to see; empty when there is nothing to show."""
        if challenge.scheme == "bearer":
            return f"Bearer {self._token(challenge, image)}"
        login = self._credentials(image.host)
        return _basic(login) if login else ""

    def _token(self, challenge: Challenge, image: Reference) -> str:
        """A pull token, from where the registry's challenge says."""
        realm = challenge.parameters["realm"]
        parts = urlsplit(realm)
        if not self._may_ask(realm) or "@" in parts.netloc or not parts.hostname:
            raise Misconfigured(
                f"the registry of {image.name} names no https address to get a token from ({fit(realm, 200)!r})"
            )
        asked = {"scope": f"repository:{image.name}:pull"}
        if service := challenge.parameters.get("service"):
            asked["service"] = service
        query = urlencode(asked, quote_via=quote)
        login = self._login_at(parts.hostname, image.host)
        headers = {"authorization": _basic(login)} if login else {}
        answer = self._patient(f"{realm}{'&' if parts.query else '?'}{query}", headers)
        if answer.status == TOO_MANY_REQUESTS:
            raise Throttled(f"{parts.hostname} asks us to wait{_so_long(answer)}; it is asked again later")
        if answer.status >= 500:
            raise Unavailable(f"{parts.hostname} answered {answer.status} when it was asked for a token")
        if answer.status != 200:
            raise Misconfigured(
                f"{parts.hostname} gives no token to pull {image.name} ({answer.status}); {self._mend(image)}"
            )
        try:
            given: Token = msgspec.convert(decoded(answer.body, realm), Token)
        except (InvalidInput, msgspec.ValidationError):
            given = Token()
        if not (token := given.token or given.access_token):
            raise Unavailable(f"{parts.hostname} answered without a token; it is asked again")
        return token

    def _login_at(self, realm: str, host: str) -> str:
        """The login that may be shown to a realm: the registry's own at home, elsewhere what the secret has for it."""
        home = {host.partition(":")[0], TOKENS_AT.get(host, host), urlsplit(self._endpoint).hostname}
        if realm in home:
            return self._credentials(host)
        login = self._credentials(realm)
        if not login and self._credentials(host):
            self._withheld[host] = realm
        return login

    def _refused(self, answer: Answer, image: Reference) -> str:
        said = f": {words}" if (words := _words(answer.body)) else ""
        return f"{image.host} refuses to show {image.name} ({answer.status}{said}); {self._mend(image)}"

    def _mend(self, image: Reference) -> str:
        if region := ecr_region(image.host):
            return (
                f"the function's role needs ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on that repository in {region}; "
                "in another account its repository policy must allow the role too"
            )
        if realm := self._withheld.get(image.host):
            return (
                f"its tokens come from {realm}, where the login of {image.host} is not shown; if both are yours, add an "
                f"entry for {realm} to the secret in the stack's parameter RegistrySecretArn"
            )
        return f"name a secret with an entry for {image.host} that may pull it in the stack's parameter RegistrySecretArn"

    # --- HTTP -----------------------------------------------------------------------------------

    def _may_ask(self, url: str) -> bool:
        """Over https alone; a stand-in may be on loopback."""
        return urlsplit(url).scheme == "https" or bool(self._endpoint)

    def _followed(self, url: str, accept: Iterable[str], key: str) -> Answer:
        """The answer behind redirects; only the host that was asked sees the key."""
        home, headers = _origin(url), {"accept": ", ".join(accept)}
        for _ in range(MOST_REDIRECTS + 1):
            shown = {"authorization": key} if key and _origin(url) == home else {}
            answer = self._patient(url, headers | shown)
            if answer.status not in REDIRECTS or not answer.location:
                return answer
            url = urljoin(url, answer.location)
            if not self._may_ask(url):
                raise Misconfigured(
                    f"the registry leads on to {fit(url, 200)}, which is not https and is not asked"
                )
        raise Unavailable(f"the registry led on more than {MOST_REDIRECTS} times, last to {fit(url, 200)}")

    def _patient(self, url: str, headers: dict[str, str]) -> Answer:
        """The answer to one request; one that says "later" is asked again if there is time."""
        for waited in range(TRIES):
            answer = self._once(url, headers)
            if answer.status not in WAIT or waited == TRIES - 1:
                break
            pause = pause_of(answer.retry_after, self._now(), otherwise=0.3 * 2**waited)
            if pause > min(LONGEST_WAIT, self._left() - RESERVE):
                break
            self._sleep(pause)
        return answer

    def _once(self, url: str, headers: dict[str, str]) -> Answer:
        try:
            found = self._pool.request("GET", url, headers=headers, preload_content=False, redirect=False)
            body = found.read(LARGEST + 1)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the registry did not answer for {url}: {error}") from error
        if len(body) > LARGEST:
            raise Unavailable(
                f"{url} is larger than {LARGEST} bytes, which no manifest or attestation of ours is"
            )
        found.release_conn()
        said = found.headers.get
        return Answer(
            found.status,
            url,
            body,
            said("www-authenticate", ""),
            said("link", ""),
            said("location", ""),
            said("retry-after", ""),
        )


def _best(answer: Answer, tried: set[str]) -> Challenge | None:
    """The best challenge that was not tried yet."""
    usable = [each for each in challenges(answer.challenge) if each.scheme not in tried]
    usable = [each for each in usable if each.scheme == "basic" or each.parameters.get("realm")]
    usable = [each for each in usable if each.scheme in SCHEMES]
    return min(usable, key=lambda each: SCHEMES.index(each.scheme), default=None)


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _so_long(answer: Answer) -> str:
    return f" (Retry-After: {fit(answer.retry_after, 40)})" if answer.retry_after else ""


def _words(body: bytes) -> str:
    """What a registry says of its refusal, as one line."""
    try:
        found = msgspec.convert(decoded(body, "a refusal"), _Refusal)
    except (InvalidInput, msgspec.ValidationError):
        return ""
    return fit("; ".join(" ".join(each.message.split()) for each in _messages(found)), 200)


class _Said(msgspec.Struct, frozen=True):
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    errors: list[_Said] | None = None


# Attestations are read side by side (registry.py).
learn(Token, _Refusal)


def _messages(refusal: _Refusal) -> Iterator[_Said]:
    return (each for each in refusal.errors or () if each.message)
