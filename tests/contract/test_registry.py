"""The registry: the same cases in memory and over HTTP on loopback, in every dialect that registries speak."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import botocore.session
import msgspec
import pytest
from moto import mock_aws

from candlefish.adapters.aws.ecr import EcrLogins
from candlefish.adapters.http.attestations import SigstoreAttestations
from candlefish.adapters.http.headers import Challenge, challenges
from candlefish.adapters.http.logins import RegistryLogins
from candlefish.adapters.http.oci import Answer
from candlefish.adapters.http.references import Reference, ecr_region, read_reference
from candlefish.adapters.http.registry import OciRegistry, Verified
from candlefish.catalog.model import Gates
from candlefish.errors import InvalidInput, Misconfigured, Throttled, Unavailable
from candlefish.release.gates import closed_gates
from candlefish.release.model import Image, Scan, SigningWorkflow, Vulnerability
from candlefish.release.ports import Registry as ImageRegistry
from lab.memory.release import MemoryRegistry
from lab.sigstore import Sigstore, Workflow
from lab.traffic.dialects import DIALECTS, GHCR, Dialect
from lab.traffic.registry import BUILDER, Facts, Registry, Reply

ISSUER = "https://token.actions.githubusercontent.com"
OTHER = "sha256:" + "c" * 64
OURS = SigningWorkflow(*BUILDER)
FORK = BUILDER._replace(repository="https://github.com/evil/fork")
pytestmark = pytest.mark.enable_socket
DIGEST = "sha256:" + "a" * 64
IMAGE = f"ghcr.io/example-org/website@{DIGEST}"


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore(ISSUER)


@pytest.fixture(scope="module")
def verified(sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    root = tmp_path_factory.mktemp("trust") / "root.json"
    root.write_text(json.dumps(sigstore.trusted_root()))
    return SigstoreAttestations(str(root), ISSUER).verified


@contextmanager
def serving(sigstore: Sigstore, dialect: Dialect = GHCR) -> Iterator[Registry]:
    made = Registry(lambda: {DIGEST}, sigstore, dialect)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def inner(sigstore: Sigstore) -> Iterator[Registry]:
    with serving(sigstore) as made:
        yield made


@pytest.fixture(params=sorted(DIALECTS))
def spoken(request: pytest.FixtureRequest, sigstore: Sigstore) -> Iterator[Registry]:
    """A registry in each dialect."""
    with serving(sigstore, DIALECTS[request.param]) as made:
        yield made


def logins(**by_host: str) -> Callable[[str], str]:
    """Logins by host, with `_` for the dot of a host's name."""
    known = {host.replace("_", "."): login for host, login in by_host.items()}
    return lambda host: known.get(host, "")


ROBOT = logins(ghcr_io="robot:secret", localhost="robot:secret")


def test_platforms_provenance_and_scan_are_read_in_every_dialect(
    spoken: Registry, verified: Verified
) -> None:
    spoken.flaws[DIGEST] = Facts(findings=(("CVE-2026-1", "CRITICAL"),), older_scans=5)
    found = OciRegistry(verified, ROBOT, spoken.endpoint).describe(IMAGE)
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert (found.provenance, found.invalid) == ((OURS,), ())
    assert len(found.scans) == 6
    newest = max(found.scans, key=lambda scan: scan.at)
    assert (newest.signer, [(v.id, v.severity) for v in newest.findings]) == (
        OURS,
        [("CVE-2026-1", "CRITICAL")],
    )
    # Wherever the newest scan is listed, it decides.
    (refusal,) = closed_gates(found, Gates(), time.time())
    assert "CVE-2026-1" in refusal


def test_a_private_registry_is_read_by_its_login_in_every_dialect(
    spoken: Registry, verified: Verified
) -> None:
    spoken.login = "robot:secret"
    assert OciRegistry(verified, ROBOT, spoken.endpoint).describe(IMAGE).provenance == (OURS,)
    for wrong in (logins(ghcr_io="robot:wrong", localhost="robot:wrong"), logins()):
        with pytest.raises(Misconfigured, match="RegistrySecretArn"):
            OciRegistry(verified, wrong, spoken.endpoint).describe(IMAGE)


def test_storage_behind_a_registry_sees_no_key(spoken: Registry, verified: Verified) -> None:
    spoken.login = "robot:secret"
    OciRegistry(verified, ROBOT, spoken.endpoint).describe(IMAGE)
    stored = [each for each in spoken.seen if each.path.startswith("/storage/")]
    assert bool(stored) == spoken.dialect.storage
    assert {each.kind for each in stored} <= {""}


@pytest.mark.parametrize("name", ["docker hub", "gitlab"])
def test_a_realm_at_another_host_sees_its_own_login_and_never_the_registrys(
    name: str, sigstore: Sigstore, verified: Verified
) -> None:
    with serving(sigstore, DIALECTS[name]) as registry:
        registry.login = "robot:secret"
        with pytest.raises(Misconfigured, match="add an entry for localhost") as refused:
            stranger = logins(ghcr_io="robot:secret")
            OciRegistry(verified, stranger, registry.endpoint).describe(IMAGE)
        assert "secret:" not in str(refused.value)
        assert {each.kind for each in registry.seen if each.host == "localhost"} == {""}
        own = logins(ghcr_io="other:one", localhost="robot:secret")
        assert OciRegistry(verified, own, registry.endpoint).describe(IMAGE).platforms


def test_one_registrys_token_is_not_shown_to_another_nor_for_another_repository(
    inner: Registry, verified: Verified
) -> None:
    client = OciRegistry(verified, endpoint=inner.endpoint)
    images = (IMAGE, IMAGE.replace("ghcr.io", "quay.io"), IMAGE.replace("website", "api"))
    for image in images:
        before = len(inner.seen)
        client.describe(image)
        # It begins without a key, and has a token of its own then.
        asked = inner.seen[before:]
        assert asked[0].kind == ""
        name = image.partition("/")[2].partition("@")[0]
        assert {each.shown.partition(".")[2] for each in asked if each.kind == "Bearer"} == {name}
        assert sum(each.path.startswith("/token") for each in asked) == 1


def test_a_token_that_ran_out_is_replaced(inner: Registry, verified: Verified) -> None:
    client = OciRegistry(verified, endpoint=inner.endpoint)
    client.describe(IMAGE)
    inner._key = "another"
    assert client.describe(IMAGE).platforms


def test_a_registry_that_wants_the_login_itself_after_a_token_gets_it(
    sigstore: Sigstore, verified: Verified
) -> None:
    """Harbor, of what a token was not enough for."""
    both = msgspec.structs.replace(
        DIALECTS["harbor"],
        challenge='Bearer realm="{registry}/service/token",service="harbor-registry", Basic realm="harbor"',
        shows_for="Basic",
        always_asks=True,
    )
    with serving(sigstore, both) as registry:
        registry.login = "robot:secret"
        assert OciRegistry(verified, ROBOT, registry.endpoint).describe(IMAGE).platforms
        with pytest.raises(Misconfigured, match="authentication required"):
            OciRegistry(verified, logins(ghcr_io="a:b"), registry.endpoint).describe(IMAGE)


def test_where_the_realm_refuses_the_login_is_shown_to_the_registry_itself_if_it_says_so(
    sigstore: Sigstore, verified: Verified
) -> None:
    """Nexus and Artifactory say both, and may have only one of them set up."""
    both = msgspec.structs.replace(DIALECTS["artifactory"], shows_for="Basic")
    with serving(sigstore, both) as registry:
        registry.login = "robot:secret"
        registry.instead["/v2/token"] = [Reply(403), Reply(404)]
        assert OciRegistry(verified, ROBOT, registry.endpoint).describe(IMAGE).platforms
        with pytest.raises(Misconfigured, match=r"gives no token .* \(404\)"):
            OciRegistry(verified, endpoint=registry.endpoint).describe(IMAGE)


def test_a_login_that_ran_out_is_replaced_also_where_the_registry_calls_it_forbidden(
    sigstore: Sigstore, verified: Verified
) -> None:
    with serving(sigstore, DIALECTS["ecr"]) as registry:
        registry.login, days = "AWS:one", iter(("AWS:one", "AWS:two", "AWS:three"))
        client = OciRegistry(verified, lambda host: next(days), registry.endpoint)
        assert client.describe(IMAGE).platforms
        registry.login = "AWS:two"
        expired = Reply(403, b'{"errors": [{"message": "Your authorization token has expired."}]}')
        registry.instead["/manifests/"] = [expired]
        assert client.describe(IMAGE).platforms
        # What is forbidden to a new login too is forbidden.
        registry.instead["/manifests/"] = [expired, expired]
        registry.login = "AWS:three"
        with pytest.raises(Misconfigured, match="has expired"):
            client.describe(IMAGE)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        (
            'Basic realm="a, b", Bearer realm="https://r/token",service="s, \\"quoted\\"",scope=x',
            [
                ("basic", {"realm": "a, b"}),
                ("bearer", {"realm": "https://r/token", "service": 's, "quoted"', "scope": "x"}),
            ],
        ),
        ('Negotiate YIIB6wYGKw==, BASIC Realm = "n"', [("negotiate", {}), ("basic", {"realm": "n"})]),
        ("Bearer", [("bearer", {})]),
        (",, ;;", []),
    ],
)
def test_challenges_come_together_in_one_header(header: str, found: list[Any]) -> None:
    assert challenges(header.replace("\\", chr(92))) == tuple(Challenge(*each) for each in found)


@pytest.mark.parametrize(
    ("image", "api", "name"),
    [
        ("docker.io/acme/web", "registry-1.docker.io", "acme/web"),
        ("docker.io/nginx", "registry-1.docker.io", "library/nginx"),
        ("index.docker.io/library/nginx", "registry-1.docker.io", "library/nginx"),
        ("acme/web", "registry-1.docker.io", "acme/web"),
        ("nginx", "registry-1.docker.io", "library/nginx"),
        ("localhost/web", "localhost", "web"),
        ("r.example:5000/team/a/b", "r.example:5000", "team/a/b"),
        ("ghcr.io/acme/web", "ghcr.io", "acme/web"),
    ],
)
def test_an_image_is_where_docker_would_look_for_it(image: str, api: str, name: str) -> None:
    found = read_reference(f"{image}@{DIGEST}")
    assert (found.api, found.name, found.digest) == (api, name, DIGEST)
    host = "docker.io" if "docker.io" in api else api
    assert found == Reference(host, name, DIGEST)


class Ecr:
    """Two regions' ECR, with a clock."""

    def __init__(self) -> None:
        self.now, self.asked = 1_800_000_000.0, list[str]()

    def get_authorization_token(self) -> dict[str, Any]:
        token = base64.b64encode(f"AWS:{self.asked[-1]}-{len(self.asked)}".encode()).decode()
        until = datetime.fromtimestamp(self.now, UTC) + timedelta(hours=12)
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": until}]}

    def client(self, region: str) -> Any:
        self.asked.append(region)
        return self


def test_private_ecr_is_read_by_the_functions_own_role_and_no_secret(
    sigstore: Sigstore, verified: Verified
) -> None:
    ecr = Ecr()
    mine = RegistryLogins(lambda: "", {"ghcr.io"}, EcrLogins(ecr.client, lambda: ecr.now).login)
    image = IMAGE.replace("ghcr.io", "111111111111.dkr.ecr.eu-west-1.amazonaws.com")
    with serving(sigstore, DIALECTS["ecr"]) as registry:
        registry.login = "AWS:eu-west-1-1"
        client = OciRegistry(verified, mine.login, registry.endpoint)
        assert client.describe(image).provenance == (OURS,)
        assert ecr.asked == ["eu-west-1"]
        # Another account's registry of the region takes the same login; nobody who is not ECR gets one.
        assert client.describe(image.replace("1" * 12, "2" * 12)).provenance == (OURS,)
        assert ecr.asked == ["eu-west-1"]
        with pytest.raises(Misconfigured, match="RegistrySecretArn"):
            client.describe(IMAGE)
        # A login of twelve hours is replaced before it ends.
        ecr.now += 12 * 3600 - 60
        registry.login = "AWS:eu-west-1-2"
        assert client.describe(image).provenance == (OURS,)
        assert ecr.asked == ["eu-west-1", "eu-west-1"]
        denied = Reply(403, b'{"errors": [{"message": "not authorized to perform"}]}')
        registry.instead["/manifests/"] = [denied, denied]
        with pytest.raises(
            Misconfigured, match=r"not authorized to perform\); .* ecr:BatchGetImage .* eu-west-1"
        ):
            client.describe(image)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("111111111111.dkr.ecr.us-west-2.amazonaws.com", "us-west-2"),
        ("111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("111111111111.dkr-ecr.us-west-2.on.aws", "us-west-2"),
        ("public.ecr.aws", ""),
        ("111111111111.dkr.ecr.us-west-2.amazonaws.com.evil.example", ""),
        ("evil.example/111111111111.dkr.ecr.us-west-2.amazonaws.com", ""),
        ("ghcr.io", ""),
    ],
)
def test_only_aws_hosts_are_ecr(host: str, region: str) -> None:
    assert ecr_region(host) == region


def login_of(secret: Any, host: str, hosts: tuple[str, ...] = ("ghcr.io",)) -> str:
    text = secret if isinstance(secret, str) else json.dumps(secret)
    return RegistryLogins(lambda: text, hosts, lambda region: f"AWS:{region}").login(host)


def test_a_secret_names_a_login_for_each_registry() -> None:
    two = {
        "auths": {
            "https://index.docker.io/v1/": {"auth": base64.b64encode(b"hub:a:b").decode()},
            "registry.example.com:5000": {"username": "x", "password": "y"},
            "acr.example": {"identitytoken": "eyJ"},
        }
    }
    assert login_of(two, "docker.io") == "hub:a:b"
    assert login_of(two, "registry.example.com:5000") == "x:y"
    assert login_of(two, "registry.example.com") == login_of(two, "ghcr.io") == ""
    with pytest.raises(Misconfigured, match=r"identity token for acr\.example"):
        login_of(two, "acr.example")


def test_a_login_without_a_registry_is_for_the_one_that_the_images_are_in() -> None:
    for one in ("robot:secret", {"username": "robot", "password": "secret"}):
        assert login_of(one, "ghcr.io") == "robot:secret"
        assert login_of(one, "evil.example") == ""
        # ECR needs none.
        ecr = "1.dkr.ecr.us-west-2.amazonaws.com"
        assert login_of(one, "ghcr.io", ("ghcr.io", ecr)) == "robot:secret"
        assert login_of(one, ecr, ("ghcr.io", ecr)) == "AWS:us-west-2"
        with pytest.raises(Misconfigured, match=r"images are in docker\.io, ghcr\.io") as refused:
            login_of(one, "ghcr.io", ("ghcr.io", "docker.io"))
        assert "secret:" not in str(refused.value) and "robot" not in str(refused.value)


def test_a_secret_that_is_no_login_is_said_without_its_words() -> None:
    for wrong in (
        '{"auths": [',
        '{"auths": {"ghcr.io": "hunter2"}}',
        '{"auths": {"ghcr.io": {"auth": "hunter2"}}}',
    ):
        with pytest.raises(Misconfigured) as refused:
            login_of(wrong, "ghcr.io")
        assert "hunter2" not in str(refused.value)


class Patience:
    """A function with some seconds left, and how long it slept."""

    def __init__(self, left: float) -> None:
        self.remaining, self.slept = left, list[float]()

    def left(self) -> float:
        return self.remaining - sum(self.slept)


@pytest.mark.parametrize(
    ("retry_after", "left", "slept"),
    [
        ("2", 60.0, [2.0]),
        ("2", 16.0, []),
        ("120", 600.0, []),
        ("3600", 60.0, []),
        ("Fri, 15 Jan 2027 08:00:03 GMT", 60.0, [3.0]),
        ("Fri, 31 Dec 2027 23:59:59 GMT", 60.0, []),
        ("soon", 60.0, [0.3]),
        ("", 60.0, [0.3]),
        ("-1", 60.0, [0.3]),
    ],
)
def test_a_registry_is_waited_for_as_long_as_the_function_lives(
    inner: Registry, verified: Verified, retry_after: str, left: float, slept: list[float]
) -> None:
    patience = Patience(left)
    client = OciRegistry(
        verified,
        endpoint=inner.endpoint,
        left=patience.left,
        sleep=patience.slept.append,
        now=lambda: 1_800_000_000.0,
    )
    inner.instead["/manifests/"] = [Reply(429, headers={"retry-after": retry_after})]
    if slept:
        assert client.describe(IMAGE).platforms
    else:
        with pytest.raises(Throttled, match=f"wait.*{retry_after}"):
            client.describe(IMAGE)
    assert patience.slept == slept


def test_a_realm_that_is_busy_or_broken_is_no_wrong_login(inner: Registry, verified: Verified) -> None:
    client = partial(OciRegistry, verified, endpoint=inner.endpoint, sleep=lambda seconds: None)
    inner.instead["/token"] = [Reply(429, headers={"retry-after": "3600"})]
    with pytest.raises(Throttled, match="3600"):
        client().describe(IMAGE)
    inner.instead["/token"] = [Reply(503)] * 3
    with pytest.raises(Unavailable):
        client().describe(IMAGE)
    for nothing in (b'{"token": null}', b"<html>", b"[]"):
        inner.instead["/token"] = [Reply(200, nothing)]
        with pytest.raises(Unavailable, match="without a token"):
            client().describe(IMAGE)


@pytest.mark.parametrize("pages", [40, 41])
def test_pages_are_followed_up_to_a_bound_and_more_is_a_refusal(
    inner: Registry, verified: Verified, pages: int
) -> None:
    listed = {"manifests": [{"digest": DIGEST}]}
    inner.instead["/referrers/"] = [
        Reply(
            200,
            json.dumps(listed).encode(),
            {
                "link": f'</v2/other>; rel="prev", </v2/x/referrers/y?page={n + 1}>; rel="next"'
                if n < pages
                else ""
            },
        )
        for n in range(1, pages + 1)
    ]
    client = OciRegistry(verified, endpoint=inner.endpoint)
    if pages > 40:
        with pytest.raises(InvalidInput, match="on more than 40 pages"):
            client.describe(IMAGE)
    else:
        assert client.describe(IMAGE).platforms
    assert sum("/referrers/" in each.path for each in inner.seen if each.kind) == 40


def test_more_attestations_than_are_read_are_a_refusal(inner: Registry, verified: Verified) -> None:
    listed = {"manifests": [{"digest": f"sha256:{n:064}"} for n in range(401)]}
    inner.instead["/referrers/"] = [Reply(200, json.dumps(listed).encode())]
    with pytest.raises(InvalidInput, match=r"lists 40[0-9] attestations"):
        OciRegistry(verified, endpoint=inner.endpoint).describe(IMAGE)


def test_a_page_that_is_lost_is_no_last_page(inner: Registry, verified: Verified) -> None:
    first = Reply(200, b'{"manifests": []}', {"link": '<?page=2>; rel="next"'})
    for lost in (Reply(404), Reply(200, b"<html>"), Reply(200, b'{"manifests": "none"}')):
        inner.instead["/referrers/"] = [first, lost]
        with pytest.raises(Unavailable):
            OciRegistry(verified, endpoint=inner.endpoint).describe(IMAGE)


def test_a_list_does_not_go_on_at_another_host(inner: Registry, verified: Verified) -> None:
    link = {"link": f"<{inner.elsewhere}/v2/x>; rel=next"}
    inner.instead["/referrers/"] = [Reply(200, b'{"manifests": []}', link)]
    with pytest.raises(Misconfigured, match="goes on at another host"):
        OciRegistry(verified, endpoint=inner.endpoint).describe(IMAGE)
    assert all(each.host == "127.0.0.1" for each in inner.seen)


def test_a_registry_that_leads_in_circles_or_away_from_https_is_left(
    inner: Registry, verified: Verified
) -> None:
    inner.instead["/manifests/"] = [Reply(302, headers={"location": "/v2/x/manifests/y"})] * 9
    with pytest.raises(Unavailable, match="led on more than 5 times"):
        OciRegistry(verified, endpoint=inner.endpoint).describe(IMAGE)
    client = OciRegistry(verified)
    away = {"status": 302, "url": "https://ghcr.io/v2/", "location": "http://169.254.169.254/"}
    client._client._once = lambda url, headers: Answer(**away)  # type: ignore[method-assign]
    with pytest.raises(Misconfigured, match="not https"):
        client.describe(IMAGE)


@pytest.mark.parametrize(
    "realm", ["http://ghcr.io/token", "ftp://x", "//x/token", "https://user@ghcr.io/token", "https://"]
)
def test_a_token_is_asked_for_over_https_alone(verified: Verified, realm: str) -> None:
    client = OciRegistry(verified, ROBOT)
    client._client._once = lambda url, headers: Answer(  # type: ignore[method-assign]
        401, url, challenge=f'Bearer realm="{realm}"'
    )
    with pytest.raises(Misconfigured, match="no https address"):
        client.describe(IMAGE)


@pytest.fixture(params=["memory", "http"])
def pushed(request: pytest.FixtureRequest) -> ImageRegistry:
    """A registry with one image that is built for two platforms, from one repository, and scanned."""
    if request.param == "http":
        inner = request.getfixturevalue("inner")
        inner.flaws[DIGEST] = Facts(findings=(("CVE-2026-1", "CRITICAL"),))
        return OciRegistry(request.getfixturevalue("verified"), endpoint=inner.endpoint)
    registry = MemoryRegistry()
    registry.push(
        IMAGE,
        Image(
            platforms=("linux/amd64", "linux/arm64"),
            provenance=(OURS,),
            scans=(Scan(1_800_000_000.0, (Vulnerability("CVE-2026-1", "CRITICAL"),), OURS),),
        ),
    )
    return registry


def test_what_is_known_of_an_image_is_described(pushed: ImageRegistry) -> None:
    found = pushed.describe(IMAGE)
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert (found.provenance, found.scans[0].signer) == ((OURS,), OURS)
    assert [(v.id, v.severity) for v in found.scans[0].findings] == [("CVE-2026-1", "CRITICAL")]


def test_an_image_that_is_not_there_is_named(pushed: ImageRegistry) -> None:
    missing = IMAGE.replace("a" * 64, "b" * 64)
    with pytest.raises(InvalidInput, match=f"no image {missing}"):
        pushed.describe(missing)


@pytest.mark.parametrize("part", ["/manifests/", "/referrers/", "/blobs/", "/storage/"])
def test_a_registry_that_is_down_is_no_empty_registry(inner: Registry, verified: Verified, part: str) -> None:
    inner.instead[part] = [Reply(503)] * 99
    with pytest.raises(Unavailable):
        OciRegistry(verified, endpoint=inner.endpoint, sleep=lambda seconds: None).describe(IMAGE)


def beside(inner: Registry, *documents: Any) -> None:
    """Let the registry list these documents beside the image, and nothing else."""
    listed = [{"digest": inner._store({"layers": [{"digest": inner._store(each)}]})} for each in documents]
    original = inner.answer

    def answer(path: str) -> bytes | None:
        return json.dumps({"manifests": listed}).encode() if "/referrers/" in path else original(path)

    inner.answer = answer  # type: ignore[method-assign]


def attested(digest: str = DIGEST, *, says: Workflow = BUILDER) -> dict[str, Any]:
    """A statement of who built a digest."""
    workflow = {"repository": says.repository, "path": says.path, "ref": says.ref}
    return {
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": {"buildDefinition": {"externalParameters": {"workflow": workflow}}},
    }


def described(inner: Registry, verified: Verified) -> Image:
    return OciRegistry(verified, endpoint=inner.endpoint).describe(IMAGE)


def test_what_is_attested_of_another_digest_does_not_count(inner: Registry, verified: Verified) -> None:
    beside(inner, inner.sigstore.sign(attested(OTHER), BUILDER, time.time()))
    found = described(inner, verified)
    assert (found.provenance, found.invalid) == ((), (f"it is about {OTHER}",))


def test_who_built_is_what_the_certificate_says_and_a_predicate_that_says_otherwise_does_not_count(
    inner: Registry, verified: Verified
) -> None:
    sign = partial(inner.sigstore.sign, at=time.time())
    beside(inner, sign(attested(says=BUILDER), FORK), sign(attested(says=FORK), FORK))
    found = described(inner, verified)
    assert found.provenance == (SigningWorkflow(*FORK),)
    (why,) = found.invalid
    assert re.search(r"says that https://github.com/example-org/.* built it, but .*/evil/fork/.* signed", why)


def test_a_workflow_that_another_repository_lends_is_named_in_full(
    inner: Registry, verified: Verified
) -> None:
    """The caller is the source; the called workflow is who signs."""
    lent = "https://github.com/org/shared/.github/workflows/build.yml"
    signed = inner.sigstore.sign(
        attested(),
        BUILDER,
        time.time(),
        lent=f"{lent}@refs/tags/v2",
    )
    beside(inner, signed)
    assert described(inner, verified).provenance == (SigningWorkflow(BUILDER.repository, lent, BUILDER.ref),)


def test_an_attestation_that_nobody_signed_or_that_cannot_be_read_is_none(
    inner: Registry, verified: Verified
) -> None:
    payload = base64.b64encode(json.dumps(attested()).encode()).decode()
    beside(
        inner,
        {"payload": payload},
        {"dsseEnvelope": {"payload": payload}},
        {"dsseEnvelope": {"payload": "%%%"}},
        {"spdxVersion": "SPDX-2.3"},
    )
    found = described(inner, verified)
    assert (found.provenance, found.scans) == ((), ())
    assert found.invalid


def test_what_was_signed_and_is_no_statement_does_not_count(inner: Registry, verified: Verified) -> None:
    sign = partial(inner.sigstore.sign, by=BUILDER, at=time.time())
    beside(inner, sign(["no", "statement"]), sign({"subject": 3}))
    found = described(inner, verified)
    assert (found.provenance, found.invalid) == ((), ("what was signed is no in-toto statement",))


def test_a_login_is_what_ecr_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through botocore, for the region that the registry's name says."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    asked: list[str] = []

    def client(region: str) -> Any:
        asked.append(region)
        return botocore.session.get_session().create_client("ecr", region_name=region)

    with mock_aws():
        # moto's logins ran out in 2015.
        logins = EcrLogins(client, lambda: 0.0)
        for region in ("us-west-2", "eu-west-1", "us-west-2"):
            assert logins.login(region).startswith("AWS:")
    assert asked == ["us-west-2", "eu-west-1"]
