"""Every parser of what comes from outside: its samples, how they are changed, and what reading one means.

Reading ends in one of two ways: what was read is right (and can be written down as JSON again), or an error of ours says
why not. Anything else is a counterexample.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import importlib
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from rich.console import RenderableType

from candlefish.adapters.aws.s3_bundles import bundle_objects
from candlefish.adapters.http.attestations import Attested, SigstoreAttestations
from candlefish.adapters.http.headers import challenges, next_link, pause_of
from candlefish.adapters.http.logins import RegistryLogins
from candlefish.adapters.http.oci import Answer
from candlefish.adapters.http.oidc_tokens import OidcTokens
from candlefish.adapters.http.registry import OciRegistry
from candlefish.adapters.http.slack_blocks import notification_body
from candlefish.adapters.kubernetes.refusal import read_status
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import read_body
from candlefish.adapters.table.records import DynamoRecords
from candlefish.analysis.calibration import Calibration
from candlefish.backups.model import AuditReport
from candlefish.backups.record import Drill
from candlefish.bounds import message_of
from candlefish.capacity.command_capacity import CapacityCommand
from candlefish.capacity.decide import under_way
from candlefish.capacity.model import CapacityRecord
from candlefish.catalog.load import load
from candlefish.catalog.model import Console
from candlefish.catalog.roles import caller_of
from candlefish.errors import ControlPlaneError, InvalidInput, NothingToRollBack, NotSignedIn, Quarantined
from candlefish.failover.model import FailoverEntry, Run
from candlefish.failover.request_failover import FailoverCommand
from candlefish.handler import parse
from candlefish.release.asked_by_http import command_of
from candlefish.release.decide_approval import ApprovalDecision
from candlefish.release.freeze import FreezeCommand
from candlefish.release.manifests import bundled_jobs, from_bundle
from candlefish.release.model import Approval, Release, ReleaseEntry
from candlefish.release.payloads import ReleaseStart, RollbackStart, TrainStart
from candlefish.release.plan_train import plan_train
from candlefish.release.press_button import SignedRequest, read_click
from candlefish.release.rebuild_record import RebuildRequest
from candlefish.release.request import check_request
from candlefish.release.request_release import ReleaseCommand, request_release
from candlefish.release.restore_traffic import restore_traffic, take_back
from candlefish.release.steer_release import SteerCommand
from candlefish.release.traffic_facts import TrafficFacts
from candlefish.release.traffic_repairs import needed_repairs
from candlefish.requester import Requester
from candlefish.service.model import SLOTS, RollbackRequest
from candlefish.service.record import (
    AllRecords,
    ServiceRecord,
    begin_rollback,
    intend_weight,
    why_not_retire,
)
from candlefish.signals.alarms import alarms_of
from candlefish.signals.classify import classify
from candlefish.signals.model import BearerToken, KnownAlert, LoggedSignal
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks
from candlefish.signals.notify import BusEvent
from candlefish.signals.receive_alerts import receive_alerts
from candlefish.signals.record import GuardRecord
from candlefish.signals.sources import from_queue, from_webhook, split_delivery
from candlefish.sqs import Batch
from candlefish.until import parse_until
from candlefish.views.sign_in import SessionAsked
from candlefish.web import Http, HttpRequest, RequestContext
from cli.demo_view import service_view
from cli.files import documents_of, read_train
from cli.recording import read
from cli.replay import read_policy, replay
from cli.terminal import PlainConsole
from lab.memory.release import MemoryFreezes
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemoryQueue, MemoryTokens
from tests.support.catalogs import FIXTURES
from tests.support.fuzz.examples import example
from tests.support.fuzz.mutate import as_json, mutated, mutated_json, scrambled
from tests.support.manifests import workload
from tests.support.release_world import CATALOG, World
from tests.support.served import look
from tests.support.service import V1, V2, fresh, image, released, rollback, take

ROOT = Path(__file__).parents[3]
NOW = 1_795_000_000.0
ENVIRONMENT = "production"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
DIGEST = "sha256:" + "a" * 64
BUILT = "https://x/y/build.yml@refs/heads/main"
PLACES = ConsoleLinks(ENVIRONMENT, "arn:aws:states:us-west-2:333333333333:stateMachine:release")


class Parser(NamedTuple):
    """`make` draws an input, `read` reads it: what it returns, JSON can hold."""

    name: str
    make: Callable[[random.Random], Any]
    read: Callable[[Any], Any]
    # How many inputs it gets beside others.
    share: int = 10


def sample(name: str) -> Any:
    return json.loads((ROOT / "events" / name).read_text())


def documents(name: str, samples: Sequence[Any], read: Callable[[Any], Any], share: int = 10) -> Parser:
    """A parser of what has been read as JSON before."""
    return Parser(name, lambda r: mutated(r, samples), read, share)


def texts(name: str, samples: Sequence[Any], read: Callable[[bytes], Any], share: int = 10) -> Parser:
    """A parser of JSON text."""
    return Parser(name, lambda r: mutated_json(r, samples), read, share)


# --- events of functions


def event_kinds() -> dict[str, Any]:
    """What each function says that it takes, without importing it: it would look for its settings."""
    found = {}
    for path in sorted(ROOT.glob("functions/*/app.py")):
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name: node.module
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        (entry,) = (
            node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "lambda_handler"
        )
        annotation = entry.args.args[0].annotation
        assert isinstance(annotation, ast.Name)
        found[path.parent.name] = getattr(importlib.import_module(modules[annotation.id]), annotation.id)
    return found


def started(machine: str, **names: str) -> dict[str, Any]:
    """What a machine's first state gives its function."""
    return {
        **names,
        "execution": "arn:aws:states:us-west-2:1:execution:x:y",
        "request": sample(f"{machine}.json"),
    }


def event_samples() -> dict[str, list[Any]]:
    """Samples by the name of the type that takes them, where events/ has some."""
    return {
        "ReleaseStart": [started("release", release="r1")],
        "RollbackStart": [started("rollback")],
        "TrainStart": [started("train", train="t1")],
        "OnboardRequest": [sample("onboard.json")],
        "LookEvent": [sample("execution-died.json")],
        "DrillStepInput": [sample("drill.json")],
        "SignalledFailover": [sample("failover-signal.json")],
        "BusEvent": bus_samples(),
        "HttpRequest": [post(sample("wake.json"))],
        "Batch": [queued(text) for text in queue_samples()],
    }


def events() -> Iterator[Parser]:
    samples = event_samples()
    seen = set()
    for name, kind in event_kinds().items():
        if kind.__name__ not in seen:
            seen.add(kind.__name__)
            given = [*samples.get(kind.__name__, ()), at_home(example(kind))]
            yield documents(f"event of {name}", given, partial(parse, kind=kind), share=5)


def at_home(document: Any) -> Any:
    """A document whose environments are this stack's."""
    if isinstance(document, dict):
        return {
            key: ENVIRONMENT if key == "environment" else at_home(value) for key, value in document.items()
        }
    return [at_home(each) for each in document] if isinstance(document, list) else document


def post(body: Any) -> dict[str, Any]:
    """A function URL's event, signed by somebody."""
    return {
        "headers": {"content-type": "application/json", "authorization": "Bearer x"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {
            "http": {"method": "POST"},
            "authorizer": {"iam": {"userArn": "arn:aws:sts::333333333333:assumed-role/x/developer"}},
        },
    }


def posted(kind: Any, body: bytes) -> Any:
    event = {**post(None), "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    request = parse(event, HttpRequest)
    request.caller()
    return request.posted(kind)


def at_address(path: str, body: bytes) -> Any:
    """What is posted at an address of the API."""
    request = HttpRequest(
        raw_path=path,
        body=base64.b64encode(body).decode(),
        is_base64_encoded=True,
        request_context=RequestContext(http=Http("POST")),
    )
    return command_of(request, lambda release: "website").input


ADDRESSES = (
    "/v1/fleet?services=website,backend-api",
    "/v1/services/backend-api/releases?before=1795000000%23r1",
    "/v1/releases/r1",
    "/v1/signals?before=00001794873600000000%230",
    "/v1/me",
)


def looked_at(said: bytes) -> Any:
    """What a look at an address is answered: a view, or why not, which counts as refused; nothing else."""
    path, _, query = said.decode("latin-1").partition("?")
    answered = look(path, query=query)
    if answered.status_code in (400, 404):
        raise InvalidInput(str(answered.body))
    assert answered.status_code == 200, answered
    return [answered.status_code, answered.headers]


CONSOLE = Console(
    issuer="https://login.example.org",
    client="page",
    reader=("staff",),
    operator=("dev",),
    approver=("lead",),
)
CLAIMS = {
    "iss": CONSOLE.issuer,
    "aud": "page",
    "sub": "u-1",
    "exp": NOW + 600,
    "iat": NOW,
    "nbf": NOW,
    "groups": ["staff", "dev"],
    "name": "Somebody",
    "email_verified": True,
}


def claims_read(claims: Any) -> Any:
    return caller_of(claims, CONSOLE) if isinstance(claims, dict) else None


@cache
def signing_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


@cache
def tokens_of_the_issuer() -> tuple[str, ...]:
    import jwt

    said = (CLAIMS, {**CLAIMS, "aud": ["page"]}, {**CLAIMS, "exp": "soon"}, {**CLAIMS, "nbf": [NOW]})
    return tuple(jwt.encode(each, signing_key(), algorithm="ES256", headers={"kid": "k"}) for each in said)


class Published:
    """An issuer with one key."""

    issuer = CONSOLE.issuer

    def key(self, name: str) -> Any:
        from jwt.algorithms import ECAlgorithm

        if name != "k":
            raise NotSignedIn("the token is signed with a key that nobody publishes")
        return {**ECAlgorithm.to_jwk(signing_key().public_key(), as_dict=True), "kid": "k"}


def token_read(said: bytes) -> Any:
    """What a token says: its own claims, or that it does not count."""
    claims = OidcTokens(Published(), CONSOLE.meant, lambda: NOW).read(said.decode("latin-1"))  # type: ignore[arg-type]
    assert claims in (CLAIMS, {**CLAIMS, "aud": ["page"]})
    return caller_of(claims, CONSOLE)


def wake(body: bytes) -> Any:
    command = posted(CapacityCommand, body)
    return [command, parse_until(command.until, "America/Los_Angeles", NOW, at_most=86400)]


def command_samples() -> list[Any]:
    train, rollback = sample("train.json"), sample("rollback.json")
    rest = {key: rollback[key] for key in ("service", "reason")}
    return [
        {"start": "train", "name": "t1", "input": train},
        {"start": "rollback", "name": "rb1", "input": rest},
    ]


def asked(body: bytes) -> Any:
    """What a person asks for at the endpoint: started once, with what the machine takes, or not at all."""
    world = World(settled())
    command = posted(ReleaseCommand, body)
    try:
        started = request_release(
            command,
            principal="arn:aws:iam::333333333333:user/developer",
            environment=ENVIRONMENT,
            catalog=CATALOG,
            requesters=world.requesters,
            executions=world.executions,
            take_back=partial(take_back, rules=world.rules, now=lambda: NOW),
            records=world.records,
            now=lambda: NOW,
        )
    except ControlPlaneError:
        assert world.executions.started == []
        raise
    return [started, world.executions.started]


# --- requests, as far as they can be judged without AWS


def check(event: Any) -> Any:
    start = parse(event, ReleaseStart)
    service, _ = check_request(start.request, environment=ENVIRONMENT, catalog=CATALOG, now=NOW)
    return [start.request, service.name]


def plan(event: Any) -> Any:
    return plan_train(
        parse(event, TrainStart),
        environment=ENVIRONMENT,
        catalog=CATALOG,
        records=MemoryRecords(*(fresh(name) for name in CATALOG.services)),
        freezes=MemoryFreezes(ENVIRONMENT),
        requesters=World(settled()).requesters,
        proven=lambda *given, **named: Requester(),
        now=lambda: NOW,
    )


@cache
def settled() -> ServiceRecord:
    return released(fresh(), "r1", V1)


def restore(event: Any) -> Any:
    """A whole rollback: whatever is said of it, it ends with the traffic restored, or touches nothing."""
    world = World(released(settled(), "r2", msgspec.structs.replace(V1, image=image(2)), NOW, window=600.0))
    world.clock.at = NOW + 1
    start = parse(event, RollbackStart)
    try:
        restored = restore_traffic(
            start.request,
            execution=start.execution,
            environment=ENVIRONMENT,
            writers_live=20,
            records=world.records,
            rules=world.rules,
            requesters=world.requesters,
            journal=world.journal,
            now=world.clock,
        )
    except NothingToRollBack:
        assert world.record.rollback is None
        raise
    record = world.record
    assert record.rollback and world.rules.weights[record.rule] == record.weights_by_target_group()
    assert len(msgspec.json.encode(record)) < 50_000
    return restored


# --- signals


def queue_samples() -> list[Any]:
    alert = {
        "fingerprint": "f1",
        "status": "firing",
        "labels": {"alertname": "ErrorRateHigh", "service": "website"},
        "started_at": NOW,
        "as_of": NOW,
    }
    delivery = {
        "source": "alertmanager",
        "alerts": [alert],
        "observed_at": NOW,
        "received_at": NOW,
        "total": 1,
    }
    names = (
        "alertmanager-sns",
        "cloudwatch-alarm",
        "cloudwatch-composite",
        "finding",
        "guardduty",
        "securityhub",
        "securityhub-v2",
    )
    return [delivery, *(sample(f"signals/{name}.json") for name in names)]


def queued(message: Any) -> dict[str, Any]:
    attributes = {"SentTimestamp": "1795000000000"}
    return {"Records": [{"messageId": "m1", "body": json.dumps(message), "attributes": attributes}]}


def delivered(text: bytes) -> Any:
    """A message of the queue, split, and each of its alerts classified."""
    delivery = from_queue(text.decode(errors="replace"), NOW)
    parts = [part.decode() for part in split_delivery(delivery)]
    return [
        parts,
        *(classify(a, delivery, catalog=CATALOG, environment=ENVIRONMENT) for a in delivery.alerts),
    ]


def alerts_posted(event: Any) -> Any:
    """A delivery at its endpoint, which answers in any case; a 202 has queued what it says."""
    request = parse(event, HttpRequest)
    queue, tokens = MemoryQueue(), MemoryTokens(BearerToken("a-token"))
    reply = receive_alerts(request, environment="production", tokens=tokens, queue=queue, now=lambda: NOW)
    assert bool(queue.messages) == (reply.status == 202)
    return [reply.as_answer(), [from_queue(message.decode(), NOW) for message in queue.messages]]


def alert_posts() -> list[Any]:
    event = post(sample("signals/alertmanager.json"))
    return [{**event, "headers": {"Authorization": "Bearer a-token"}}]


def messages_taken(event: Any) -> Any:
    return [[from_queue(each.body, each.sent), each.message_id] for each in parse(event, Batch).records]


def bus_samples() -> list[Any]:
    """Events that people are told of."""
    said = {
        "environment": ENVIRONMENT,
        "service": "website",
        "reason": "errors over 10%",
        "at": NOW,
        "by": "me",
    }
    release = {**said, "release": "r1", "version": "v1", "requested_by": "me", "kind": "approval_requested"}
    signal = {
        **said,
        "subject": "website",
        "about": "service/website",
        "severity": "P0",
        "status": "firing",
        "name": "ErrorRateHigh",
        "summary": "too many",
        "action": "none",
        "wanted": "rollback",
        "link": "https://x",
        "count": 3,
        "started_at": NOW,
        "last_release": {
            "id": "r1",
            "version": "v1",
            "requested_by": "me",
            "started_at": NOW,
            "status": "promoted",
        },
    }
    ended = {**signal, "outcome": "failed", "received_at": NOW + 1, "decided_at": NOW + 2, "still_held": 2}
    kinds: dict[str, Any] = {
        "release.approval_requested": {**release, "evidence": {"question": "go?", "weight": 10}},
        "release.rolled_back": release,
        "signal.decided": signal,
        "signal.responded": ended,
        "signal.lifted": ended,
        "signal.flood": said,
        "signal.switched": {**said, "state": "off"},
        "capacity.asleep": {**said, "title": "asleep", "tone": "info", "command": "candlefish status"},
    }
    ended = sample("execution-died.json")
    more = {"error": "States.Timeout", "cause": '{"errorMessage": "no"}', "stopDate": 1795000000000}
    given = json.dumps({"service": "website", "requested_by": "me"})
    failed = {**ended, "detail": {**ended["detail"], **more, "status": "FAILED", "input": given}}
    said_of = [{"id": "e1", "detail-type": kind, "detail": detail} for kind, detail in kinds.items()]
    return [ended, failed, *said_of]


def told(event: Any) -> Any:
    """An event as people read it, by mail and in Slack."""
    read = parse(event, BusEvent)
    message = notification_of(read.detail_type, read.detail, PLACES)
    assert message is None or len(message.key) <= 200
    return message and [message.plain(), notification_body(message)]


def click_samples() -> list[Any]:
    value = json.dumps({"release": "r1", "question": "q1"})
    return [
        {
            "user": {"id": "U1"},
            "response_url": "https://hooks.slack.com/actions/x",
            "actions": [{"action_id": "candlefish-approve", "value": value}],
        }
    ]


def clicked(body: bytes) -> Any:
    form = urlencode({"payload": body}).encode()
    base = b"v0:" + str(int(NOW)).encode() + b":" + form
    signature = "v0=" + hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()
    return read_click(SignedRequest(form, str(int(NOW)), signature), secret=SECRET, now=NOW)


# --- bundles and images


@cache
def bundle_samples() -> list[Any]:
    """What the catalog itself renders, as far as a bundle may hold it."""
    path = ROOT / "tests/support/fuzz/bundle.json"
    return [json.loads(path.read_text())]


def bundled(text: bytes) -> Any:
    objects = from_bundle(bundle_objects(text, "bundle s3://x/y"), workload())
    return (*objects, *bundled_jobs(bundle_objects(text, "bundle s3://x/y"), workload()))


def _unsigned(bundle: bytes) -> Attested:
    """What a bundle says, whoever says it: what comes after the signature has its own ways to be wrong."""
    try:
        statement = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidInput("no bundle") from error
    return Attested(statement, "https://x/y", "refs/heads/main", BUILT, BUILT)


class Answering(OciRegistry):
    """The registry, whose every answer is the next of some bodies."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        super().__init__(_unsigned)
        self._bodies = list(bodies)
        self._next = 0
        self._client._once = self._answer  # type: ignore[method-assign]

    def _answer(self, url: str, headers: dict[str, str]) -> Answer:
        body = self._bodies[self._next % len(self._bodies)]
        self._next += 1
        return Answer(200, url, body)


def registry_samples() -> list[list[Any]]:
    """The answers of a registry, in the order in which they are asked for."""
    statement = {
        "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1",
        "subject": [{"name": "x", "digest": {"sha256": "a" * 64}}],
        "predicate": {
            "metadata": {"scanFinishedOn": "2026-11-24T10:00:00Z"},
            "scanner": {
                "result": {"Results": [{"Vulnerabilities": [{"VulnerabilityID": "C", "Severity": "LOW"}]}]}
            },
        },
    }
    provenance = {
        **statement,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "externalParameters": {
                    "workflow": {"repository": "https://x/y", "path": "build.yml", "ref": "refs/heads/main"}
                }
            }
        },
    }
    index = {
        "manifests": [
            {"digest": DIGEST, "platform": {"os": "linux", "architecture": "arm64"}},
            {"digest": DIGEST, "platform": {"os": "unknown"}},
        ]
    }
    manifest = {"layers": [{"digest": DIGEST}, {"digest": DIGEST}]}

    def bundle_of(said: Any) -> Any:
        return {"dsseEnvelope": {"payload": base64.b64encode(json.dumps(said).encode()).decode()}}

    return [[index, index, index, manifest, bundle_of(statement), bundle_of(provenance)]]


def made_answers(r: random.Random) -> list[bytes]:
    answers = mutated(r, registry_samples())
    if not isinstance(answers, list) or not answers:
        answers = [answers]
    bodies = [as_json(each) for each in answers]
    if r.random() < 0.3:
        inner = mutated_json(
            r,
            [
                json.loads(base64.b64decode(registry_samples()[0][n]["dsseEnvelope"]["payload"]))
                for n in (4, 5)
            ],
        )
        bodies.append(as_json({"dsseEnvelope": {"payload": base64.b64encode(inner).decode()}}))
    return bodies


def described(bodies: list[bytes]) -> Any:
    return Answering(bodies).describe(f"ghcr.io/example-org/website@{DIGEST}")


HEADERS = (
    b'Basic realm="a, b", Bearer realm="https://r.example/token",service="s",scope="repository:x/y:pull"',
    b'</v2/x/referrers/sha256:y?page=2>; rel="next", </v2/x>; rel=prev',
    b"Fri, 31 Dec 2027 23:59:59 GMT",
    b"Negotiate YIIB6wYGKw==, BASIC Realm = n",
)


def headers_read(header: bytes) -> Any:
    """What a registry may say in each of its headers."""
    text = header.decode("latin-1")
    said = [[each.scheme, each.parameters] for each in challenges(text)]
    return [said, next_link(text), pause_of(text, NOW, otherwise=1.0)]


def logins_read(secret: bytes) -> str:
    """What a secret says of one registry."""
    text = secret.decode(errors="replace")
    return RegistryLogins(lambda: text, {"ghcr.io"}, lambda region: "").login("ghcr.io")


@cache
def trusted() -> tuple[SigstoreAttestations, list[Any]]:
    """Who reads bundles of a Sigstore of ours (lab/sigstore.py made it once), and one that is right."""
    made = json.loads((ROOT / "tests/support/fuzz/attestation.json").read_text())
    with TemporaryDirectory() as folder:
        root = Path(folder) / "root.json"
        root.write_text(json.dumps(made["trusted_root"]))
        attestations = SigstoreAttestations(str(root), "https://issuer.example")
        # It keeps what it read.
        attestations.verified(json.dumps(made["bundle"]).encode())
    return attestations, [made["bundle"]]


def verified(bundle: bytes) -> Any:
    """What was changed is refused, or says what it said before."""
    attestations, (right,) = trusted()
    found = attestations.verified(bundle)
    assert found == attestations.verified(json.dumps(right).encode())
    return found.repository


# --- files


@cache
def catalog_files() -> dict[str, bytes]:
    folder = FIXTURES
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.yaml"))}


def made_catalog(r: random.Random) -> tuple[str, bytes]:
    """A file of the catalog with changed text: as JSON, which is YAML too, or with scrambled bytes."""
    import yaml

    name, text = r.choice(list(catalog_files().items()))
    if r.random() < 0.5:
        return name, scrambled(r, text)
    return name, as_json(mutated(r, [yaml.safe_load(text)]))


def loaded(changed: tuple[str, bytes]) -> Any:
    """The one file with the smallest others beside it, so that a reading is quick."""
    name, text = changed
    with TemporaryDirectory() as folder:
        for each, body in catalog_files().items():
            path = Path(folder, each)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if each == name else body)
        return list(load(Path(folder)).services)


def recording_samples() -> list[Any]:
    row = {
        "stream": "a",
        "start": "2026-11-24T10:00:00Z",
        "end": "2026-11-24T10:01:00Z",
        "baseline": {"requests": 5400, "errors": 27, "slow": 54},
        "canary": {"requests": 600, "errors": 3, "slow": 6, "counters": {"orders": 12}},
    }
    later = {**row, "start": 1764000060.0, "end": 1764000120.0}
    beside = {"at:/checkout": [300, 2], "over:0.25": [600, 40], "use:restarts": [180, 1]}
    other = {
        "stream": 7,
        "start": 1764000060000,
        "end": 1764000120000,
        "baseline": {"requests": 1e3},
        "canary": {"requests": 100.0, "beside": beside},
    }
    return [[row, {**row, "start": "2026-11-24T10:01:00Z", "end": "2026-11-24T10:02:00Z"}, later, other]]


def made_recording(r: random.Random) -> bytes:
    rows = mutated(r, recording_samples())
    text = b"\n".join(as_json(row) for row in (rows if isinstance(rows, list) else [rows]))
    return scrambled(r, text) if r.random() < 0.25 else text


def from_file(use: Callable[[Path], Any], text: bytes) -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(text)
        return use(path)


def judged(path: Path) -> Any:
    policy = CATALOG.policies["default"]
    return list(replay(policy, read(path), None, "judge", 1))


def made_policy(r: random.Random) -> bytes:
    text = (FIXTURES / "policies.yaml").read_bytes()
    if r.random() < 0.5:
        return scrambled(r, text)
    return as_json(mutated(r, [{"alpha": 0.01, "margin": 1.5, "slow_over": "2s", "window": "60s"}]))


def records() -> Iterator[Parser]:
    """What may stand in the table."""
    kinds: dict[Any, keys.Item] = {
        ServiceRecord: keys.RECORD,
        Release: keys.RELEASE,
        ReleaseEntry: keys.RELEASE_ENTRY,
        Approval: keys.APPROVAL,
        Run: keys.FAILOVER,
        FailoverEntry: keys.FAILOVER_ENTRY,
        Drill: keys.DRILL,
        AuditReport: keys.AUDIT,
        CapacityRecord: keys.CAPACITY,
        GuardRecord: keys.GUARD,
        KnownAlert: keys.ALERT,
        LoggedSignal: keys.SIGNAL_LOG,
        Calibration: keys.CALIBRATION,
    }
    for kind, item in kinds.items():
        given = [example(kind)]
        if kind is ServiceRecord:
            given = [msgspec.to_builtins(settled())]

        def making(r: random.Random, given: Any = given) -> Any:
            text = mutated_json(r, given).decode(errors="replace")
            whole = {"body": {"S": text}, "schema": {"N": "1"}}
            return mutated(r, [whole]) if r.random() < 0.1 else whole

        def reading(stored: Any, kind: Any = kind, item: keys.Item = item) -> Any:
            # DynamoDB gives items and nothing else.
            if not isinstance(stored, dict):
                raise InvalidInput("no item")
            return read_body(item, stored, kind, what="an item")

        yield Parser(f"item {kind.__name__}", making, reading, share=4)


class OneItem:
    """A client of the table that knows one item, whatever is asked for."""

    def __init__(self, item: Any) -> None:
        self.item = item

    def get_item(self, **asked: Any) -> Any:
        return {"Item": self.item}


def acted_by(text: bytes) -> Any:
    """A record of the table, and everything that is decided by what it says."""
    item = {
        **keys.RECORD.key(environment=ENVIRONMENT, service="website"),
        "body": {"S": text.decode(errors="replace")},
    }
    record = DynamoRecords(OneItem(item), "table", ENVIRONMENT).get("website")
    request = RollbackRequest(id="rb", environment=ENVIRONMENT, service="website", reason="x", by="me")
    with suppress(NothingToRollBack, Quarantined):
        record = begin_rollback(record, request, execution="e", now=NOW, lease=10.0)
    return [
        needed_repairs(record, TrafficFacts(None), NOW),
        needed_repairs(record, TrafficFacts({}), NOW),
        under_way(AllRecords((record,)), NOW),
        [why_not_retire(record, slot, NOW) for slot in SLOTS],
        len(alarms_of(record, 0.0)),
        printed(service_view(record, NOW)),
    ]


def printed(view: RenderableType) -> str:
    out = io.StringIO()
    PlainConsole(file=out, width=100).print(view)
    return out.getvalue()


def record_samples() -> list[Any]:
    """Records in the situations in which a service can be."""
    running = intend_weight(
        take(settled(), "r2", V2), generation=settled().generation + 1, slot="blue", weight=10
    )
    before = [
        fresh(),
        settled(),
        take(fresh(), "r1", V1),
        running,
        take(settled(), "r2", V2, in_place=True),
        rollback(running),
    ]
    return [msgspec.to_builtins(each) for each in before]


def all_parsers() -> list[Parser]:
    """Every parser."""
    release, rollback, train = (event_samples()[f"{m}Start"] for m in ("Release", "Rollback", "Train"))
    alert = sample("signals/alertmanager.json")
    return [
        *events(),
        documents("request of a release", release, check),
        documents("request of a train", train, plan),
        documents("request of a rollback", rollback, restore),
        texts("body of a command", [sample("command.json"), *command_samples()], asked),
        texts(
            "body of an approval",
            [{"release": "r1", "question": "q", "answer": "approved"}],
            partial(posted, ApprovalDecision),
        ),
        texts(
            "body of a rollback at its address",
            [{"reason": "errors", "bad": True, "release": "r1"}, {"reason": "errors"}],
            partial(at_address, "/v1/services/website/rollback"),
        ),
        texts("body of an abort", [{"reason": "not wanted"}], partial(at_address, "/v1/releases/r1/abort")),
        texts(
            "body of a sign-in",
            [{"code": "c", "verifier": "v" * 43, "redirect": "https://a.example.org/", "nonce": "n"}],
            partial(posted, SessionAsked),
        ),
        Parser(
            "look at an address", lambda r: scrambled(r, r.choice(ADDRESSES).encode()), looked_at, share=3
        ),
        documents("claims of a token", [CLAIMS], claims_read),
        Parser(
            "token of the issuer",
            lambda r: scrambled(r, r.choice(tokens_of_the_issuer()).encode()),
            token_read,
            share=3,
        ),
        texts("body of a steering", [sample("steer.json")], partial(posted, SteerCommand)),
        texts("body of a freeze", [sample("freeze.json")], partial(posted, FreezeCommand)),
        texts("body of a capacity command", [sample("wake.json")], wake),
        texts("body of a failover", [sample("failover.json")], partial(posted, FailoverCommand)),
        texts(
            "body of a rebuilding",
            [{"service": "website", "reason": "lost", "stable": "blue"}],
            partial(posted, RebuildRequest),
        ),
        texts("Alertmanager's webhook", [alert], lambda text: from_webhook(text, NOW)),
        documents("Alertmanager's post", alert_posts(), alerts_posted),
        documents("messages of the queue", event_samples()["Batch"], messages_taken),
        texts("message of the queue", queue_samples(), delivered),
        documents("event that people are told of", bus_samples(), told),
        texts("Slack's click", click_samples(), clicked),
        texts("bundle", bundle_samples(), bundled, share=6),
        Parser("bundle's YAML", made_bundle_file, lambda text: from_file(documents_of, text), share=3),
        Parser("registry", made_answers, described),
        Parser("registry's headers", lambda r: scrambled(r, r.choice(HEADERS)), headers_read, share=3),
        texts(
            "logins at registries",
            [{"auths": {"ghcr.io": {"username": "u", "password": "p", "auth": "dTpw", "identitytoken": ""}}}],
            logins_read,
            share=3,
        ),
        texts("Sigstore bundle", trusted()[1], verified),
        texts(
            "refusal of Kubernetes",
            [{"message": "no", "reason": "Conflict", "details": {"causes": [{"field": ".x"}]}}],
            read_status,
            share=4,
        ),
        Parser("catalog", made_catalog, loaded, share=1),
        Parser("recording", made_recording, lambda text: from_file(judged, text), share=5),
        Parser(
            "policy file",
            made_policy,
            lambda text: from_file(lambda p: str(read_policy(p, "default")), text),
            share=3,
        ),
        texts(
            "train file",
            [sample("train.json")],
            lambda text: read_train(text.decode(errors="replace"), "file"),
        ),
        texts(
            "cause of a failure",
            [{"errorMessage": "no", "errorType": "X", "trace": []}],
            lambda t: message_of(t.decode(errors="surrogateescape")).encode(errors="replace").decode(),
        ),
        texts("record that is acted by", record_samples(), acted_by, share=20),
        *records(),
    ]


def made_bundle_file(r: random.Random) -> bytes:
    """A file as helm writes it, scrambled; JSON is YAML."""
    objects = mutated(r, bundle_samples())
    text = b"---\n".join(
        as_json(each) + b"\n" for each in (objects if isinstance(objects, list) else [objects])
    )
    return scrambled(r, text) if r.random() < 0.5 else text
