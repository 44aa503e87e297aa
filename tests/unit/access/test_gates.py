"""Gates: a fact that is missing, too old, from elsewhere or too bad is a refusal that names the fix."""

from __future__ import annotations

import pytest

from candlefish.catalog.model import Allowance, Duration, Gates
from candlefish.release.gates import closed_gates
from candlefish.release.model import Image, Scan, SigningWorkflow, Vulnerability

NOW = 1_795_500_000.0  # 2026-11-24
OURS, FOREIGN = "https://github.com/example-org/shop", "https://github.com/example-org/fork"
BUILD, SCAN = ".github/workflows/build.yml", ".github/workflows/scan.yml"
GATES = Gates(sources=(OURS,), workflows=(BUILD, SCAN), branches=("main",), scan_age=Duration(7 * 86400))
GOOD_BUILD, GOOD_SCAN = (
    SigningWorkflow(OURS, BUILD, "refs/heads/main"),
    SigningWorkflow(OURS, SCAN, "refs/heads/main"),
)
FORK = SigningWorkflow(FOREIGN, BUILD, "refs/heads/main")
OTHER_WORKFLOW = SigningWorkflow(OURS, ".github/workflows/try.yml", "refs/heads/main")
OTHER_BRANCH = SigningWorkflow(OURS, BUILD, "refs/heads/try")
TAG = SigningWorkflow(OURS, BUILD, "refs/tags/main")
BOTH = ("linux/amd64", "linux/arm64")
CRITICAL = Vulnerability("CVE-2026-1", "CRITICAL", "openssl", "3.5.9")
HIGH = Vulnerability("CVE-2026-2", "HIGH", "zlib")


def scanned(at: float, *findings: Vulnerability) -> Scan:
    return Scan(at, findings, GOOD_SCAN)


GOOD = Image(BOTH, (GOOD_BUILD,), (scanned(NOW - 3600),))


def with_findings(*findings: Vulnerability) -> Image:
    return Image(BOTH, (GOOD_BUILD,), (scanned(NOW - 60, *findings),))


def allowed(vulnerability: Vulnerability, until: str) -> Gates:
    return Gates(
        sources=(OURS,), allow=(Allowance(id=vulnerability.id, until=until, reason="not reachable"),)
    )


OPEN = [
    ("all is well", GOOD, GATES),
    ("a second builder beside ours", Image(BOTH, (FORK, GOOD_BUILD), GOOD.scans), GATES),
    ("anybody may build", Image(BOTH, (), GOOD.scans), Gates()),
    ("more platforms than needed", Image((*BOTH, "linux/s390x"), (GOOD_BUILD,), GOOD.scans), GATES),
    ("medium findings do not count", with_findings(Vulnerability("CVE-2026-3", "MEDIUM")), GATES),
    ("as many as may be", with_findings(HIGH), Gates(sources=(OURS,), high=1)),
    (
        "one id in two packages is one",
        with_findings(HIGH, Vulnerability(HIGH.id, "HIGH", "z")),
        Gates(high=1),
    ),
    ("a builder's clock a minute ahead", Image(BOTH, (GOOD_BUILD,), (scanned(NOW + 60),)), GATES),
    ("an allowed one, on its last day", with_findings(CRITICAL), allowed(CRITICAL, "2026-11-24")),
    (
        "a newer scan without the finding",
        Image(BOTH, (GOOD_BUILD,), (scanned(NOW - 9e4, CRITICAL), scanned(NOW))),
        GATES,
    ),
]


@pytest.mark.parametrize(("image", "gates"), [case[1:] for case in OPEN], ids=[case[0] for case in OPEN])
def test_an_image_that_is_known_to_be_right_passes(image: Image, gates: Gates) -> None:
    assert list(closed_gates(image, gates, NOW)) == []


CLOSED = [
    (
        "one platform is missing",
        Image(("linux/amd64",), (GOOD_BUILD,), GOOD.scans),
        GATES,
        "no image for linux/arm64",
    ),
    ("no manifest list", Image((), (GOOD_BUILD,), GOOD.scans), GATES, "it has none"),
    ("no provenance", Image(BOTH, (), GOOD.scans), GATES, "no provenance attestation"),
    (
        "no provenance that is valid",
        Image(BOTH, (), GOOD.scans, ("DSSE: invalid signature",)),
        GATES,
        "no provenance attestation of this digest that is valid (DSSE: invalid signature)",
    ),
    (
        "built elsewhere",
        Image(BOTH, (FORK,), GOOD.scans),
        GATES,
        f"signed by {FOREIGN} {BUILD} on refs/heads/main; allowed are sources {OURS}; build it there",
    ),
    (
        "built by another workflow",
        Image(BOTH, (OTHER_WORKFLOW,), GOOD.scans),
        GATES,
        f".github/workflows/try.yml on refs/heads/main; allowed are workflows {BUILD} or {SCAN}; build",
    ),
    (
        "built from another branch",
        Image(BOTH, (OTHER_BRANCH,), GOOD.scans),
        GATES,
        "on refs/heads/try; allowed are branches refs/heads/main; build it there",
    ),
    ("a tag called like the branch", Image(BOTH, (TAG,), GOOD.scans), GATES, "branches refs/heads/main"),
    (
        "each is right in one of three, none in all",
        Image(BOTH, (FORK, OTHER_WORKFLOW, OTHER_BRANCH), GOOD.scans),
        GATES,
        f"allowed are sources {OURS}, workflows {BUILD} or {SCAN}, branches refs/heads/main",
    ),
    (
        "a scan that somebody else signed",
        Image(BOTH, (GOOD_BUILD,), (Scan(NOW, (), FORK),)),
        GATES,
        f"its scan was signed by {FOREIGN} {BUILD} on refs/heads/main; allowed are sources {OURS}; run",
    ),
    (
        "a newer and better scan that somebody else signed",
        Image(BOTH, (GOOD_BUILD,), (scanned(NOW - 60, CRITICAL), Scan(NOW, (), FORK))),
        GATES,
        "CVE-2026-1 in openssl",
    ),
    (
        "a scan that is not valid",
        Image(BOTH, (GOOD_BUILD,), (), tuple("abcdefg")),
        GATES,
        "no scan result of this digest that is valid (a; b; c; d; e; and 2 more)",
    ),
    ("no scan", Image(BOTH, (GOOD_BUILD,)), GATES, "no scan result"),
    ("an old scan", Image(BOTH, (GOOD_BUILD,), (scanned(NOW - 8 * 86400),)), GATES, "older than 7d"),
    ("a scan from the future", Image(BOTH, (GOOD_BUILD,), (scanned(NOW + 600),)), GATES, "or not yet"),
    ("a critical one", with_findings(CRITICAL), GATES, "CVE-2026-1 in openssl (fixed in 3.5.9)"),
    ("a high one", with_findings(HIGH), GATES, "1 high vulnerabilities, at most 0"),
    (
        "an allowance that is over",
        with_findings(CRITICAL),
        allowed(CRITICAL, "2026-11-23"),
        "its allowance expired",
    ),
    ("an allowance of another", with_findings(CRITICAL), allowed(HIGH, "2027-01-01"), "1 critical"),
]


@pytest.mark.parametrize(("image", "gates", "words"), [c[1:] for c in CLOSED], ids=[c[0] for c in CLOSED])
def test_what_is_missing_or_wrong_closes_a_gate_and_says_which(
    image: Image, gates: Gates, words: str
) -> None:
    (refusal,) = closed_gates(image, gates, NOW)
    assert words in refusal


def test_every_closed_gate_is_named_at_once() -> None:
    assert len(list(closed_gates(Image(), GATES, NOW))) == 3


def test_many_findings_are_counted_and_the_first_named() -> None:
    many = with_findings(*(Vulnerability(f"CVE-2026-{n:04}", "CRITICAL", "p") for n in range(30)))
    (refusal,) = closed_gates(many, GATES, NOW)
    assert refusal.startswith("30 critical") and "and 25 more" in refusal
