"""Run a Job of a release, once, and wait for its end: one look."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import JobFailed
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.jobs import JobStep, job_name, next_of_job
from candlefish.release.journal import Journal
from candlefish.release.model import JobSeen, PlanStep, ReleaseEntry
from candlefish.release.payloads import Instruction, JobInput, JobLook
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.strangers import refuse_strangers
from candlefish.release.workload import job_objects_of
from candlefish.service.model import StartedJob
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, note_job


def run_job(
    request: JobInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    journal: Journal,
    now: Now,
) -> JobLook:
    """Take a Job one step further: make it, write down that it is started, let it run, look how far it is.

    Whatever is repeated, dies or comes late, it runs once at most (docs/decisions/0038).

    Raises
    ------
    ClusterRefused
        Somebody else's object would take the Pods that come after it; nothing was changed.
    JobFailed
        It did not end well, or not in its time; the message has the end of its log.
    RecordContested
        Another look wrote down another Job of that name meanwhile; nothing was let run.
    StaleGeneration
        Somebody took the service over; nothing was let run.
    """
    at = now()
    record = held_record(request, records)
    namespace = catalog.environments[request.environment].namespace
    name = job_name(request.service, request.step.name, request.release)
    subject = f"job {request.step.name} of {request.service}"
    seen = cluster.job(namespace, name)
    late = at - request.since > request.step.within
    # Who has begun is not asked again whether another one is at work.
    others = () if seen and seen.let_run else _others(cluster, namespace, request.service, name)
    step = next_of_job(seen, record.job(name), others, late=late, within=request.step.within)
    match step.action:
        case "make":
            _make(request, record, name, catalog=catalog, cluster=cluster, bundles=bundles)
        case "note":
            assert seen
            started = StartedJob(name, request.step.name, seen.uid)
            records.update(request.service, lambda r: note_job(r, generation=request.generation, job=started))
            cluster.let_job_run(namespace, name, uid=seen.uid, generation=request.generation)
            _say(journal, request, at, "job_started", f"{subject} runs as Job {name}")
        case "let_run":
            assert seen
            cluster.let_job_run(namespace, name, uid=seen.uid, generation=request.generation)
            _say(journal, request, at, "job_started", f"{subject} runs as Job {name}")
        case "done":
            _say(journal, request, at, "job_done", f"{subject}: {step.reason}", seen)
            return JobLook("go_on", step.reason, index=request.index)
        case "stop":
            cluster.stop_job(namespace, name, generation=request.generation)
            raise _failed(subject, step, seen, name, namespace, record)
        case "failed":
            raise _failed(subject, step, seen, name, namespace, record)
        case "ask":
            words = (
                f"{subject}: {step.reason}; find out what it did before you answer: it is not started again"
            )
            _say(journal, request, at, "job_unknown", words)
            within = float(catalog.strategy(request.environment).ask_within)
            question = PlanStep(kind="approve", name="job", within=within)
            ask = Instruction(kind="approve", index=request.index, since=at, step=question)
            return JobLook("ask", step.reason, index=request.index, ask=ask)
        case "wait":
            pass
    return JobLook("again", f"{subject}: {step.reason}", index=request.index, poll=float(request.step.poll))


def _others(cluster: Cluster, namespace: str, service: str, name: str) -> tuple[str, ...]:
    return tuple(each for each in cluster.jobs_at_work(namespace, service) if each != name)


def _make(
    request: JobInput,
    record: ServiceRecord,
    name: str,
    *,
    catalog: Catalog,
    cluster: Cluster,
    bundles: Bundles,
) -> None:
    """Apply what its Pod needs to begin, then the Job itself, suspended.

    What deploying its version would be refused for stops it first: a migration is not undone.
    """
    made = job_objects_of(
        record,
        request.slot,
        request.step.name,
        name=name,
        release=request.release,
        catalog=catalog,
        bundles=bundles,
    )
    if made.follows:
        namespace = catalog.environments[request.environment].namespace
        refuse_strangers(made.follows, request.service, namespace, cluster)
        sets = [each for each in made.follows if each["kind"] == "StatefulSet"]
        cluster.rehearse(sets, generation=request.generation)
    cluster.apply(made.around, generation=request.generation)
    cluster.make_job(made.job)


def _failed(
    subject: str, step: JobStep, seen: JobSeen | None, name: str, namespace: str, record: ServiceRecord
) -> JobFailed:
    said = f"; the end of its log: {seen.log}" if seen and seen.log else ""
    moved = sorted(slot for slot, weight in record.desired.items() if weight and slot != record.stable)
    where = "traffic had moved already" if moved else "no traffic had moved"
    if record.stable is None:
        where = f"{record.service} has had no version before"
    return JobFailed(
        f"{subject} failed: {step.reason}{said}. {where}; what it did before is not undone. Look at: "
        f"kubectl logs -n {namespace} job/{name}"
    )


def _say(
    journal: Journal, request: JobInput, at: float, kind: str, words: str, seen: JobSeen | None = None
) -> None:
    """A line of the timeline. What a look finds may be found by two of them: the Job itself is what counts."""
    log = seen.log if seen else ""
    reason = f"{words}; the end of its log: {log}" if log else words
    journal.append(request.release, ReleaseEntry(at, kind, reason, evidence={"job": request.step.name}))
