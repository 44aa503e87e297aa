"""`candlefish plan`: what a release would do, before anything happens. Nothing is taken, written or started."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from candlefish.errors import ControlPlaneError, InvalidInput
from cli.completion import complete_service
from cli.options import CATALOG, in_environment
from cli.stack import Stack, record_of
from cli.terminal import echo

if TYPE_CHECKING:
    from candlefish.catalog.model import Catalog
    from candlefish.release.model import Manifest
    from candlefish.release.request_release import Carried
    from candlefish.service.model import Version
    from candlefish.service.record import ServiceRecord


# Where a bundle is that is not uploaded yet.
LOCAL = "s3://local/"


class _Files:
    """`release.ports.Bundles`: a bundle that is not uploaded yet, and those that are."""

    def __init__(self, stack: Stack, documents: list[Any] | None) -> None:
        self._stack, self._documents = stack, documents

    def read(self, uri: str, digest: str) -> list[Manifest]:
        if uri.startswith(LOCAL) and self._documents is not None:
            # What is made of them is made in place.
            copy: list[Manifest] = msgspec.json.decode(msgspec.json.encode(self._documents))
            return copy
        from candlefish.adapters.aws.s3_bundles import S3Bundles

        return S3Bundles(self._stack.client("s3")).read(uri, digest)


@click.command()
@click.argument("service", shell_complete=complete_service)
@click.argument("image", required=False)
@in_environment
@click.option("--label", default="", help="What people call the version (a tag or commit).")
@click.option("--bundle", default="", help="S3 URI of rendered manifests (see: candlefish bundle).")
@click.option("--bundle-digest", default="", help="SHA-256 of the bundle.")
@click.option(
    "--bundle-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A bundle that is not uploaded yet: what candlefish bundle wrote with -o, or objects in YAML.",
)
@click.option("--break-glass", default="", help="As deploy would be given it.")
@click.option("--allow-bad", is_flag=True, help="As deploy would be given it.")
@click.option(
    "--stack", "carried", is_flag=True, help="By the catalog that the stack carries, not by this one."
)
@click.option("--cluster", is_flag=True, help="Compare with what the cluster has, read with kubectl.")
@click.option("--context", default="", help="The context of kubectl, for --cluster.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a comment.")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0 when there is nothing to do, 2 when a release would change something.",
)
def plan_command(
    stack: Stack,
    service: str,
    image: str | None,
    bundle_file: Path | None,
    carried: bool,
    cluster: bool,
    context: str,
    as_json: bool,
    markdown: bool,
    detailed_exitcode: bool,
    **fields: Any,
) -> None:
    """Show what a release of IMAGE to SERVICE would change, object by object, and the steps that it would take.

    Without IMAGE it is the image that is live: what a changed configuration would bring. Exits 0, with
    --detailed-exitcode 0 when there is nothing to do and 2 when there is; 1 when nothing can be said.
    """
    from candlefish.catalog.load import load
    from candlefish.catalog.parts import other_parts, parts_of
    from candlefish.release.configuration import configuration_changes, configured
    from candlefish.release.payloads import ReleaseRequest
    from candlefish.release.preview import preview_release
    from cli.files import documents_of, packed
    from cli.plan_view import in_markdown, in_text

    catalog = load(CATALOG)
    record = record_of(stack, service)
    live = record.stable_version if record else None
    documents = None
    if bundle_file:
        documents = documents_of(bundle_file)
        _, digest = packed(documents)
        fields |= {"bundle": f"{LOCAL}{digest}.json", "bundle_digest": digest}
    given = {name: value for name, value in fields.items() if value}
    asked = {"image": image} if image else of_live(live, service)
    request = msgspec.convert({"service": service, "reason": "plan", **asked, **given}, ReleaseRequest)
    version = configured(request.version, service, stack.environment, catalog)
    there, notes = _ask_stack(stack, service)
    if there:
        local = version.configuration
        waiting = configuration_changes(there.configuration, local)
        others = other_parts(parts_of(catalog), there.parts)
        if carried:
            version = msgspec.structs.replace(version, configuration=there.configuration)
        elif there.configuration != local:
            notes.append(
                f"the stack carries another configuration of {service} than this catalog ({'; '.join(waiting)}): a release "
                f"brings the stack's. Deploy the stack first (make deploy ENV={stack.environment}), or see what it "
                "would bring now with --stack"
            )
        if others:
            notes.append(f"this catalog and the stack's differ in: {', '.join(others)}")
    elif carried:
        raise InvalidInput(notes[-1])
    preview = preview_release(
        request,
        record,
        version,
        environment=stack.environment,
        catalog=catalog,
        bundles=_Files(stack, documents),
        now=time.time(),
        notes=notes,
        frozen=stack.freezes(),
    )
    if cluster:
        preview = _against_cluster(preview, record, version, catalog, _Files(stack, documents), context)
    if as_json:
        echo(json.dumps({**msgspec.to_builtins(preview), "differs": preview.differs}, indent=2))
    else:
        echo((in_markdown if markdown else in_text)(preview))
    if detailed_exitcode and preview.differs:
        raise SystemExit(2)


def of_live(live: Version | None, service: str) -> dict[str, str]:
    """The version that is live, as a release names it.

    Raises
    ------
    InvalidInput
        None is.
    """
    if live is None:
        raise InvalidInput(f"no version of {service} is live: name the image that shall be released")
    return {
        "image": live.image,
        "label": live.label,
        "bundle": live.bundle,
        "bundle_digest": live.bundle_digest,
    }


def _ask_stack(stack: Stack, service: str) -> tuple[Carried | None, list[str]]:
    """What the stack carries; or a note why nobody could be asked."""
    from candlefish.release.request_release import Carried

    try:
        answer = stack.look(service)
    except ControlPlaneError as error:
        return None, [
            f"what the stack carries is not known ({error}): a release brings the stack's configuration"
        ]
    return msgspec.convert(answer, Carried), []


def _against_cluster(
    preview: Any,
    record: ServiceRecord | None,
    version: Version,
    catalog: Catalog,
    bundles: _Files,
    context: str,
) -> Any:
    """The preview with differences to what the cluster has, in the slot that serves."""
    from candlefish.release.object_diff import object_differences, shaped_like
    from candlefish.release.workload import objects_of

    if record is None or record.stable is None:
        raise InvalidInput(
            f"nothing of {preview.service} serves: there is nothing in the cluster to compare with"
        )
    wanted = objects_of(record, record.stable, version, release="", catalog=catalog, bundles=bundles)
    found = [(each, _live(each, context)) for each in wanted]
    before = [shaped_like(live, each) for each, live in found if live is not None]
    return msgspec.structs.replace(preview, slot=record.stable, objects=object_differences(before, wanted))


def _live(manifest: Manifest, context: str) -> Manifest | None:
    """An object as the cluster has it; None where it has none."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise InvalidInput(
            "--cluster reads with kubectl, which is not on the PATH; install it, or leave --cluster out"
        )
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = f"{manifest['kind']}.{version}.{group}" if group else manifest["kind"]
    metadata = manifest["metadata"]
    asked: Sequence[str] = (
        kubectl,
        *(("--context", context) if context else ()),
        *("get", kind, metadata["name"], "--namespace", metadata["namespace"]),
        *("--ignore-not-found", "--output", "json"),
    )
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode:
        raise InvalidInput(
            f"kubectl cannot read {manifest['kind']} {metadata['name']}: {answer.stderr.strip()[:500]}"
        )
    found: Manifest | None = json.loads(answer.stdout) if answer.stdout.strip() else None
    return found
