"""The gate of a release: every image that it would run, also those that its bundle brings, before anything is taken."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from candlefish.catalog.model import Catalog, Gates, Service
from candlefish.errors import ImageRefused, InvalidInput
from candlefish.release.check_image import check_image
from candlefish.release.gates import signer_of
from candlefish.release.model import Image, Scan, SigningWorkflow
from candlefish.release.payloads import ReleaseRequest, ReleaseStart
from candlefish.requester import Requester
from candlefish.service.model import Version
from lab.memory.release import MemoryBundles, MemoryRegistry
from lab.memory.requesters import MemoryRequesters
from lab.memory.service import MemoryRecords
from lab.scenes import helm_chart
from lab.traffic.registry import BUILDER
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.release import FakeJournal
from tests.support.service import fresh, image, released

OTEL = "ghcr.io/example-org/otel-collector"
SIDECAR = f"{OTEL}@sha256:{'c' * 64}"
OURS, BOTH = SigningWorkflow(*BUILDER), ("linux/amd64", "linux/arm64")
LIMITS = {"limits": {"cpu": "100m", "memory": "64Mi"}}


def with_sidecar(gates: Gates | None, more: dict[str, Service]) -> Catalog:
    """The shipped catalog and more services; backend-api may bring a collector."""
    real = catalog()
    api = msgspec.structs.replace(real.services["backend-api"], port=helm_chart.PORT, sidecars=(OTEL,))
    production = msgspec.structs.replace(real.environments["production"], gates=gates)
    return msgspec.structs.replace(
        real,
        services={**real.services, "backend-api": api, **more},
        environments={**real.environments, "production": production},
    )


class Gate:
    """What the gate asks and writes, and one request with a bundle that has a sidecar."""

    def __init__(self) -> None:
        self.clock, self.journal, self.registry = Clock(), FakeJournal(), MemoryRegistry()
        self.known = Image(BOTH, (OURS,), (Scan(self.clock.at - 60, (), OURS),))
        self.registry.push(image(2), self.known)
        self.records = MemoryRecords(fresh())
        self.services: dict[str, Service] = {}
        self.documents: list[dict[str, Any]] = helm_chart.rendered("backend-api", image(2))
        self.pod: dict[str, Any] = self.documents[1]["spec"]["template"]["spec"]
        self.pod["initContainers"] = [{"name": "otel", "image": SIDECAR, "resources": LIMITS}]

    def looks(self, gates: Gates | None = Gates(sources=(BUILDER.repository,))) -> list[str]:  # noqa: B008
        body = json.dumps(self.documents).encode()
        request = ReleaseRequest(
            service="backend-api",
            image=image(2),
            reason="faster search",
            bundle="s3://bundles/x.json",
            bundle_digest=hashlib.sha256(body).hexdigest(),
        )
        gated = check_image(
            ReleaseStart("r2", "arn:release:r2", request),
            environment="production",
            requesters=MemoryRequesters(),
            proven=lambda *_, **__: Requester(),
            catalog=with_sidecar(gates, self.services),
            registry=self.registry,
            bundles=MemoryBundles({request.bundle: body}),
            records=self.records,
            journal=self.journal,
            now=self.clock,
        )
        return list(gated.looked)


def test_a_sidecar_passes_the_gates_of_the_service() -> None:
    gate = Gate()
    gate.registry.push(SIDECAR, gate.known)
    *_, builder, _, beside = gate.looks()
    assert beside == f"beside it {SIDECAR}"
    assert builder == f"built by {signer_of(OURS)}"
    assert not gate.journal.timeline


def test_a_sidecar_that_the_registry_does_not_have_is_no_release() -> None:
    gate = Gate()
    with pytest.raises(InvalidInput, match="otel-collector"):
        gate.looks()
    assert gate.journal.kinds("r2") == ["refused"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("scans", (), "no scan result"),
        ("provenance", (SigningWorkflow("https://github.com/evil/fork"),), "its provenance was signed by"),
        ("platforms", ("linux/amd64",), "no image for linux/arm64"),
    ],
)
def test_a_gate_that_is_closed_for_a_sidecar_is_closed(field: str, value: Any, words: str) -> None:
    gate = Gate()
    gate.registry.push(SIDECAR, msgspec.structs.replace(gate.known, **{field: value}))
    with pytest.raises(ImageRefused, match=f"^{OTEL}.*{words}"):
        gate.looks()
    assert gate.journal.kinds("r2") == ["refused"]


def test_both_images_that_are_refused_are_named() -> None:
    gate = Gate()
    for each in (image(2), SIDECAR):
        gate.registry.push(each, Image(BOTH, (OURS,)))
    with pytest.raises(ImageRefused, match=rf"{image(2)}: .*; {SIDECAR}: "):
        gate.looks()


def test_an_image_that_the_catalog_does_not_name_is_asked_of_no_registry() -> None:
    gate = Gate()
    gate.pod["initContainers"][0]["image"] = f"docker.io/evil/x@sha256:{'c' * 64}"
    gate.registry.describe = None  # type: ignore[method-assign, assignment]
    with pytest.raises(InvalidInput, match=r"initContainers\[0\].image is from docker.io/evil/x.*sidecars"):
        gate.looks()


def test_an_image_that_is_live_is_not_asked_about_again() -> None:
    """Its configuration can be released although its scan got old; another bundle is another version."""
    gate = Gate()
    gate.registry.describe = None  # type: ignore[method-assign, assignment]
    body = json.dumps(gate.documents).encode()
    live = Version(image(2), "2.0", "s3://bundles/before.json", hashlib.sha256(body).hexdigest())
    gate.records = MemoryRecords(released(fresh(), "r1", live))
    assert gate.looks() == [f"{image(2)} is live already: its gates are not asked again"]
    gate.records = MemoryRecords(released(fresh(), "r1", Version(image(2))))
    with pytest.raises(TypeError):
        gate.looks()


def test_a_bundle_is_read_where_there_are_no_gates_too() -> None:
    gate = Gate()
    assert gate.looks(None)[-1] == f"beside it {SIDECAR}"
    gate.documents.append(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "website"}, "spec": {}}
    )
    with pytest.raises(InvalidInput, match=r"Service website: metadata.name"):
        gate.looks(None)
    assert gate.journal.kinds("r2") == ["refused"]


def test_a_name_that_only_one_slot_would_make_anothers_is_refused_whichever_slot_it_would_get() -> None:
    gate = Gate()
    website = catalog().services["website"]
    gate.services = {"backend-api-settings-green": website}
    with pytest.raises(InvalidInput, match="backend-api-settings-green's"):
        gate.looks(None)
    gate.services = {"backend-api-settings-blue": website}
    with pytest.raises(InvalidInput, match="backend-api-settings-blue's"):
        gate.looks(None)
