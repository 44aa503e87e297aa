"""Let the CronJobs of a service be those of its stable version: after a promotion, in a rollback, and whenever looked."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import Permanent, StaleGeneration
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.cron import cron_differences, may_have_cron
from candlefish.release.journal import Journal
from candlefish.release.manifests.model import runner_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import CronKept, ReleaseContext
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.workload import cron_objects_of
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord


def align_cron(
    record: ServiceRecord,
    *,
    catalog: Catalog,
    cluster: Cluster,
    bundles: Bundles,
    force: bool = False,
    held: bool = True,
) -> tuple[str, ...]:
    """Apply the stable version's CronJobs where others run, and rest those that it has not; what differed.

    `held`: the caller holds the record's generation, which is then to stand on each of them, so that who wrote for an
    earlier one comes too late. What is suspended stays suspended, but for what we rested ourselves.
    """
    if not may_have_cron(record):
        return ()
    namespace = catalog.environments[record.environment].namespace
    running = cluster.running(namespace, runner_name(record, record.stable)) if record.stable else None
    if record.stable and running is None:
        # Which it has, its Deployment says.
        return ()
    seen = cluster.cron_jobs(namespace, record.service)
    found = cron_differences(
        seen,
        running.cron if running else (),
        record.stable_version,
        written_by=record.generation if held else 0,
    )
    if not found:
        return ()
    objects = cron_objects_of(record, catalog=catalog, bundles=bundles)
    names = [each["metadata"]["name"] for each in objects if each["kind"] == "CronJob"]
    ours = {each.name for each in seen}
    # One of that name that does not say it is ours is somebody's: it is not taken from them.
    for known in (True, False):
        if some := [each for each in objects if (each["metadata"]["name"] in ours) is known]:
            cluster.apply(some, generation=record.generation, force=force and known)
    for each in seen:
        rests = each.name not in names
        if each.resting != rests or (rests and not each.suspended):
            cluster.rest_cron_job(namespace, each.name, rests, generation=record.generation)
    return found


def keep_cron(
    request: ReleaseContext,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    journal: Journal,
    now: Now,
) -> CronKept:
    """Let the CronJobs of a release's service run what has just become stable.

    Where that cannot be (the cluster refuses it, a bundle is gone), the timeline says so; the reconciler goes on trying.

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the CronJobs are theirs to keep.
    """
    record = held_record(request, records)
    version = record.stable_version
    try:
        found = align_cron(record, catalog=catalog, cluster=cluster, bundles=bundles, force=True)
    except StaleGeneration:
        raise
    except Permanent as refusal:
        words = f"CronJobs of {record.service} are not those of the stable version: {refusal}"
        journal.append(request.release, ReleaseEntry(now(), "cron_left", words))
        return CronKept(())
    if found and version:
        words = f"CronJobs of {record.service} run {version.short} from now on"
        journal.append(
            request.release, ReleaseEntry(now(), "cron_moved", words, evidence={"differed": list(found)})
        )
    return CronKept(found)


def put_cron_back(record: ServiceRecord, *, catalog: Catalog, cluster: Cluster, bundles: Bundles) -> str:
    """The same at a look of a rollback or at what ends a release; why not, where that cannot be.

    Nothing that a rollback must wait for: the cluster's reconciler goes on trying, and tells of it.
    """
    try:
        align_cron(record, catalog=catalog, cluster=cluster, bundles=bundles, force=True)
    except StaleGeneration:
        raise
    except Permanent as refusal:
        return f"; CronJobs are not those of the stable version: {refusal}"
    return ""
