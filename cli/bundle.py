"""`candlefish bundle`: a chart as it is, made into what releases of its services run; checked before it is uploaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from candlefish.errors import InvalidInput
from cli.completion import complete_service
from cli.options import CATALOG, in_environment
from cli.progress import progress
from cli.terminal import as_json, document, echo

if TYPE_CHECKING:
    from candlefish.catalog.model import Catalog
    from candlefish.release.manifests import Workload
    from cli.charts.parts import Parts
    from cli.charts.rendered import Helm
    from cli.stack import Stack


@click.command()
@click.argument("source")
@click.argument("service", required=False, default="", shell_complete=complete_service)
@in_environment
@click.option("-f", "--values", multiple=True, help="A file of values, as helm takes it; may be repeated.")
@click.option("--set", "sets", multiple=True, help="A value, as helm takes it; may be repeated.")
@click.option(
    "--release-name", default="", help="What helm shall call the release; the service when left out."
)
@click.option("--kube-version", default="", help="The Kubernetes that helm renders for.")
@click.option("--check", is_flag=True, help="Only report: upload nothing; exits 1 when something is refused.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write it there and upload nothing: a file for one service, a folder for several.",
)
@as_json
def bundle_command(
    stack: Stack, source: str, service: str, check: bool, output: Path | None, as_json: bool, **how: Any
) -> None:
    """Make bundles of SOURCE for SERVICE, or for every service found in it, and upload them.

    SOURCE is a chart (folder, archive, oci://...), YAML that was rendered (a file or folder), or - for a pipe. It is
    tried as a release would be, in both slots; what is taken, changed, left out and refused is told. Prints a line of
    JSON for each service: the fields that a release needs.
    """
    from candlefish.catalog.load import load
    from cli.charts.parts import parts_of
    from cli.charts.rendered import rendered_of

    catalog = load(CATALOG)
    environment = catalog.environment(stack.environment)
    if service:
        catalog.service(service)
    found = rendered_of(source, _helm(source, service, environment, **how))
    parts = parts_of(found, catalog, service)
    refused = _report(parts, catalog, stack.environment, to_errors=as_json or not check)
    if check and as_json:
        document(
            {
                "services": [
                    {"service": name, "refused": name in refused, "documents": len(documents)}
                    for name, documents in parts.bundles.items()
                ],
                "left_out": [{"what": left.what, "why": left.why} for left in parts.left],
            }
        )
    if refused:
        raise InvalidInput(
            f"{', '.join(refused)}: refused, see above; nothing was uploaded. What a bundle may hold: docs/bundles.md"
        )
    if not check:
        for name, documents in parts.bundles.items():
            _hand_over(stack, name, documents, output, alone=bool(service))


def _helm(source: str, service: str, environment: Any, **how: Any) -> Helm:
    from cli.charts.rendered import KUBE_VERSION, Helm

    known = {
        "external-secrets": ("external-secrets.io/v1",),
        "csi": ("secrets-store.csi.x-k8s.io/v1",),
        "role": (),
    }
    release = how["release_name"] or service or Path(source).name.partition(".")[0] or "release"
    return Helm(
        release=release,
        namespace=environment.namespace,
        values=how["values"],
        sets=how["sets"],
        kube_version=how["kube_version"] or KUBE_VERSION,
        api_versions=known[environment.secrets_by],
    )


def _report(parts: Parts, catalog: Catalog, environment: str, *, to_errors: bool) -> list[str]:
    """Say what becomes of everything; the services whose bundle is refused."""
    refused = []
    for service, documents in parts.bundles.items():
        lines, well = _tried(service, documents, catalog, environment)
        for kind, before, after in parts.renamed[service]:
            lines.append(
                f"  renamed  {kind} {before} -> {after} (names are the service's, so that no other's is meant)"
            )
        for line in lines:
            echo(line, err=to_errors)
        if not well:
            refused.append(service)
    if parts.left:
        echo("left out:", err=to_errors)
    for left in parts.left:
        echo(f"  {left.what}: {left.why}", err=to_errors)
    return refused


def _tried(service: str, documents: list[Any], catalog: Catalog, environment: str) -> tuple[list[str], bool]:
    """A report about one service's bundle, and whether a release would take it."""
    from candlefish.release.manifests import bundled_jobs, job_objects
    from candlefish.release.workload import trial_of
    from candlefish.service.model import SLOTS
    from cli.charts.jobs import job_lines
    from cli.charts.report import fates, lines_of, warnings

    trials = [trial_of(service, environment, slot, catalog) for slot in SLOTS]
    try:
        blue, _ = (_objects(documents, trial) for trial in trials)
        jobs, _ = (bundled_jobs(_copy(documents), trial) for trial in trials)
    except InvalidInput as error:
        return [f"{service}: REFUSED: {error}"], False
    run = [job_objects(blue, trials[0], job, name=job.chart)[1] for job in jobs]
    lines = list(lines_of(service, fates(documents, [*blue, *run], SLOTS[0]), warnings(documents)))
    lines += job_lines(jobs, documents, trials[0].service)
    claims = list(_claims(blue))
    if claims:
        lines.append(
            f"  WARNING  {', '.join(claims)}: both slots mount it during a release; a ReadWriteOnce volume is refused then"
        )
    return lines, True


def _objects(documents: list[Any], workload: Workload) -> list[Any]:
    """What a release would apply, and what runs by the clock once it is stable."""
    from candlefish.release.manifests import cron_objects, from_bundle

    objects = from_bundle(_copy(documents), workload)
    return [*objects, *cron_objects(objects, workload, _copy(documents))]


def _claims(objects: Any) -> Iterator[str]:
    from candlefish.release.manifests import claims

    return (f"PersistentVolumeClaim {each}" for each in claims(objects))


def _copy(documents: list[Any]) -> list[Any]:
    copy: list[Any] = json.loads(json.dumps(documents))
    return copy


def _hand_over(stack: Stack, service: str, documents: list[Any], output: Path | None, *, alone: bool) -> None:
    """Write or upload a bundle, and print what a release says of it."""
    from cli.files import packed

    body, digest = packed(documents)
    named = {} if alone else {"service": service}
    if output:
        file = output if alone else output / f"{service}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        echo(json.dumps({**named, "file": str(file), "bundle_digest": digest}))
        return
    bucket, key = stack.bundles_bucket, f"{service}/{digest}.json"
    with progress(f"uploading the bundle of {service}, {len(body):,} bytes"):
        stack.client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    echo(json.dumps({**named, "bundle": f"s3://{bucket}/{key}", "bundle_digest": digest}))
