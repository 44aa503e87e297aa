"""Jobs of a release: each runs once, whatever is repeated, dies, vanishes or comes late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.model import Duration, Job
from candlefish.errors import ClusterRefused, JobFailed, RecordContested, StaleGeneration, Unavailable
from candlefish.release.jobs import JobObject, job_name, judge_job, next_of_job
from candlefish.release.model import JobSeen, PlannedJob, Selecting
from candlefish.release.payloads import JobInput, JobLook, ReleaseContext
from candlefish.release.plan import plan_release
from candlefish.release.pods import Pod
from candlefish.release.run_job import run_job
from candlefish.service.model import StartedJob
from lab.memory.release import MemoryBundles
from tests.support.release_world import World, roll_back
from tests.support.service import V1, fresh, released

MIGRATE = Job(
    name="migrate",
    command=("python", "-m", "app.migrate"),
    args=("--to", "$HEAD"),
    within=Duration(600),
    env={"MODE": "migrate", "LOG_LEVEL": "debug"},
)
NAME = job_name("backend-api", "migrate", "r2")


@pytest.fixture
def migrating(world: World) -> World:
    """A world whose service brings a migration."""
    services = dict(world.catalog.services)
    after = Job(name="warm", when="after", args=("--warm",))
    services["backend-api"] = msgspec.structs.replace(services["backend-api"], jobs=(MIGRATE, after))
    world.catalog = msgspec.structs.replace(world.catalog, services=services)
    return world


def asked(world: World, begun: ReleaseContext, since: float | None = None, name: str = "migrate") -> JobInput:
    step = world.step(begun, "job", name=name, within=600.0, poll=5)
    fields = msgspec.structs.asdict(step) | ({} if since is None else {"since": since})
    return JobInput(**fields, index=1)


def look(world: World, begun: ReleaseContext, since: float | None = None, name: str = "migrate") -> JobLook:
    return run_job(
        asked(world, begun, since, name),
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        journal=world.journal,
        now=world.clock,
    )


def running(world: World) -> ReleaseContext:
    """A release whose migration runs."""
    begun = world.begin()
    assert (look(world, begun).action, look(world, begun).action) == ("again", "again")
    assert world.cluster.ran == {NAME: 1}
    return begun


def test_jobs_stand_before_anything_of_the_version_and_after_the_last_step(migrating: World) -> None:
    migrating.begin()
    plan = migrating.journal.read("r2").plan
    assert [str(step) for step in (plan[0], plan[1], plan[-1])] == ["job migrate", "deploy", "job warm"]
    assert (plan[0].within, plan[0].poll) == (600.0, 5)


@pytest.mark.parametrize("name", ["rolling", "blue-green", "canary"])
@pytest.mark.parametrize("first", [True, False])
def test_every_strategy_runs_them_the_first_release_too(world: World, name: str, first: bool) -> None:
    jobs = (
        PlannedJob("a", "before", 60.0),
        PlannedJob("b", "before", 7200.0),
        PlannedJob("c", "after", 60.0),
    )
    plan = plan_release(world.catalog.strategies[name], first=first, window=60, judge="default", jobs=jobs)
    assert [str(step) for step in plan if step.kind == "job"] == ["job a", "job b", "job c"]
    assert [step.kind for step in plan[:3]] == ["job", "job", "deploy"]
    assert plan[-1].name == "c"
    assert plan[1].poll == 60, "a long one is not looked at more often than the history holds"


def test_a_job_is_made_suspended_written_down_and_only_then_let_run(migrating: World) -> None:
    begun = migrating.begin()
    assert look(migrating, begun).reason.endswith("it is not there yet")
    assert migrating.cluster.jobs[NAME].suspended
    assert (migrating.record.jobs, migrating.cluster.ran) == ((), {})
    look(migrating, begun)
    assert migrating.record.jobs == (StartedJob(NAME, "migrate", "uid-1"),)
    assert migrating.cluster.ran == {NAME: 1}
    assert look(migrating, begun).action == "again"
    migrating.cluster.ends(NAME, log="12 tables | all done")
    assert (look(migrating, begun).action, look(migrating, begun).index) == ("go_on", 1)
    assert migrating.journal.kinds("r2")[:3] == ["started", "job_started", "job_done"]
    assert "the end of its log: 12 tables | all done" in migrating.journal.reason("r2", "job_done")
    assert migrating.cluster.ran == {NAME: 1}


LIVE = Selecting("Service", "live", {"matchLabels": {"app.kubernetes.io/name": "backend-api"}})


def test_what_its_version_would_be_refused_for_stops_it_before_the_migration(migrating: World) -> None:
    migrating.cluster.strangers = (LIVE,)
    begun = migrating.begin()
    with pytest.raises(ClusterRefused, match="Service live selects the slot's Pods"):
        look(migrating, begun)
    assert (migrating.cluster.jobs, migrating.cluster.objects, migrating.record.jobs) == ({}, {}, ())


def test_a_job_after_its_version_is_not_in_a_strangers_hands(migrating: World) -> None:
    begun = migrating.begin()
    migrating.cluster.strangers = (LIVE,)
    assert look(migrating, begun, name="warm").reason.endswith("it is not there yet")
    assert list(migrating.cluster.jobs) == [job_name("backend-api", "warm", "r2")]


def test_its_pod_is_the_services_own_without_what_serves(migrating: World) -> None:
    look(migrating, migrating.begin())
    job = migrating.cluster.manifests[NAME]
    version = migrating.record.slots["blue"].version
    assert version
    pod, spec = job["spec"]["template"]["spec"], job["spec"]
    (container,) = pod["containers"]
    assert (container["image"], pod["restartPolicy"]) == (version.image, "Never")
    assert (container["command"], container["args"]) == (["python", "-m", "app.migrate"], ["--to", "$$HEAD"])
    assert not {"ports", "readinessProbe", "livenessProbe", "startupProbe", "lifecycle"} & container.keys()
    values = {each["name"]: each["value"] for each in container["env"]}
    assert (values["MODE"], values["LOG_LEVEL"]) == ("migrate", "debug")
    assert "DATABASE_URL" in values and pod["serviceAccountName"] == "backend-api"
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["completions"]) == (0, 600, 1)
    assert spec["ttlSecondsAfterFinished"] > 86400


def test_nothing_that_selects_a_slots_pods_selects_a_jobs(migrating: World) -> None:
    begun = migrating.begin()
    look(migrating, begun)
    migrating.deploy(begun)
    labels = migrating.cluster.manifests[NAME]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        each["spec"].get("selector") or {}
        for (kind, _), each in migrating.cluster.objects.items()
        if kind in ("Service", "Deployment", "PodDisruptionBudget")
    ]
    wanted = [each.get("matchLabels", each) for each in selectors]
    assert len(wanted) >= 3
    assert not any(each.items() <= labels.items() for each in wanted)
    policy = migrating.cluster.objects["NetworkPolicy", "backend-api-jobs"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    slots = migrating.cluster.objects["NetworkPolicy", "backend-api-blue"]["spec"]
    assert (policy["egress"], policy["ingress"]) == (slots["egress"], [])


def test_a_job_that_fails_ends_the_release_with_its_log_and_before_traffic_has_moved(
    migrating: World,
) -> None:
    begun = running(migrating)
    migrating.cluster.ends(NAME, "failed", reason="container x ended with exit code 1", log="no such column")
    with pytest.raises(
        JobFailed, match=r"exit code 1; the end of its log: no such column\. no traffic had moved"
    ):
        look(migrating, begun)
    assert migrating.cluster.ran == {NAME: 1}
    assert migrating.record.desired == {"blue": 0, "green": 100}


def test_before_a_first_version_nothing_is_said_of_traffic(migrating: World) -> None:
    begun = migrating.begin()
    migrating.records.update(
        "backend-api", lambda r: msgspec.structs.replace(r, stable=None, desired={"blue": 100, "green": 0})
    )
    look(migrating, begun)
    look(migrating, begun)
    migrating.cluster.ends(NAME, "failed", reason="container x ended with exit code 1", log="")
    with pytest.raises(JobFailed, match="backend-api has had no version before; what it did before"):
        look(migrating, begun)


def test_its_deadline_stops_it_and_says_so(migrating: World) -> None:
    begun = running(migrating)
    since = migrating.clock.at
    migrating.clock.forward(601)
    with pytest.raises(JobFailed, match="did not end within 600 s"):
        look(migrating, begun, since)
    assert migrating.cluster.stopped == [NAME]


def test_one_whose_image_cannot_be_had_is_not_waited_for(migrating: World) -> None:
    begun = running(migrating)
    migrating.cluster.jobs[NAME] = msgspec.structs.replace(
        migrating.cluster.jobs[NAME], hopeless=True, reason="container x is in ImagePullBackOff"
    )
    with pytest.raises(JobFailed, match="ImagePullBackOff"):
        look(migrating, begun)
    assert migrating.cluster.stopped == [NAME]


def test_one_that_vanished_is_asked_about_and_never_started_again(migrating: World) -> None:
    begun = running(migrating)
    migrating.cluster.forget(NAME)
    found = look(migrating, begun)
    assert (found.action, found.ask and found.ask.kind, found.ask and found.ask.index) == (
        "ask",
        "approve",
        1,
    )
    assert "how it ended is not known" in migrating.journal.reason("r2", "job_unknown")
    assert NAME not in migrating.cluster.jobs and migrating.cluster.ran == {NAME: 1}


def test_another_one_in_its_place_is_not_taken_for_it(migrating: World) -> None:
    begun = running(migrating)
    manifest = migrating.cluster.manifests[NAME]
    migrating.cluster.forget(NAME)
    migrating.cluster.make_job(manifest)
    assert look(migrating, begun).action == "ask"
    assert migrating.cluster.ran == {NAME: 1}


def test_a_look_that_read_the_record_before_the_first_one_was_let_run_lets_no_second_one_run(
    migrating: World,
) -> None:
    begun = migrating.begin()
    look(migrating, begun)
    seen = migrating.cluster.job

    def while_others_look(namespace: str, name: str) -> JobSeen | None:
        migrating.cluster.job = seen  # type: ignore[method-assign]
        look(migrating, begun)
        # Somebody deletes it, and what a third look sent comes late.
        migrating.cluster.forget(name)
        migrating.cluster.make_job(migrating.cluster.manifests[name])
        return seen(namespace, name)

    migrating.cluster.job = while_others_look  # type: ignore[method-assign]
    with pytest.raises(RecordContested, match="another Job of that name is written down"):
        look(migrating, begun)
    assert migrating.cluster.ran == {NAME: 1}
    assert look(migrating, begun).action == "ask"


def test_one_that_somebody_suspends_in_the_middle_is_not_let_run_again(migrating: World) -> None:
    begun = running(migrating)
    migrating.cluster.jobs[NAME] = msgspec.structs.replace(migrating.cluster.jobs[NAME], suspended=True)
    with pytest.raises(JobFailed, match="somebody suspended it"):
        look(migrating, begun)
    assert migrating.cluster.ran == {NAME: 1}


def test_who_lost_the_service_lets_nothing_run(migrating: World) -> None:
    begun = migrating.begin()
    look(migrating, begun)
    roll_back(migrating)
    with pytest.raises(StaleGeneration):
        look(migrating, begun)
    assert migrating.cluster.ran == {}


def test_who_loses_it_between_look_and_start_lets_nothing_run_either(migrating: World) -> None:
    begun = migrating.begin()
    look(migrating, begun)
    seen = migrating.cluster.job

    def and_then_somebody_rolls_back(namespace: str, name: str) -> JobSeen | None:
        found = seen(namespace, name)
        roll_back(migrating)
        return found

    migrating.cluster.job = and_then_somebody_rolls_back  # type: ignore[method-assign]
    with pytest.raises(StaleGeneration):
        look(migrating, begun)
    assert migrating.cluster.ran == {}


def test_a_job_of_an_earlier_release_is_waited_for(migrating: World) -> None:
    running(migrating)
    roll_back(migrating)
    migrating.records.stored["backend-api"] = msgspec.structs.replace(
        migrating.record, rollback=None, holder=None
    )
    begun = migrating.begin("r3", image="ghcr.io/example-org/backend-api@sha256:" + "7" * 64)
    other = job_name("backend-api", "migrate", "r3")
    look(migrating, begun)
    assert f"{NAME} of an earlier release is still at work" in look(migrating, begun).reason
    assert migrating.cluster.ran == {NAME: 1}
    migrating.cluster.ends(NAME)
    look(migrating, begun)
    assert migrating.cluster.ran == {NAME: 1, other: 1}


def test_a_rollback_says_what_it_does_not_undo(migrating: World) -> None:
    running(migrating)
    restored = roll_back(migrating)
    migrating.finish(restored)
    said = migrating.journal.reason("r2", "rolled_back")
    assert "job migrate had been started and is not undone" in said
    migrating.begin("r3", image="ghcr.io/example-org/backend-api@sha256:" + "7" * 64)
    assert migrating.record.jobs == (), "it is the newest release's"


# --- whatever dies

Dies = Callable[[str], bool]


@given(deaths=st.lists(st.integers(0, 3), max_size=6), before=st.booleans(), vanishes=st.integers(0, 8))
def test_it_runs_once_at_most_wherever_looks_die(deaths: list[int], before: bool, vanishes: int) -> None:
    """Each look dies at one of its writes, before or after it is done, or not at all."""
    world = World(msgspec.structs.replace(released(fresh(), "r1", V1, window=0), window_until=0.0))
    services = dict(world.catalog.services)
    services["backend-api"] = msgspec.structs.replace(services["backend-api"], jobs=(MIGRATE,))
    world.catalog = msgspec.structs.replace(world.catalog, services=services)
    begun = world.begin()
    cluster, records = world.cluster, world.records
    left = [0]

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and before:
                raise Unavailable("dies before it")
            answer = call(*args, **kwargs)
            if left[0] == 0:
                raise Unavailable("dies after it")
            return answer

        return wrapped

    cluster.make_job = dying(cluster.make_job)  # type: ignore[method-assign]
    cluster.let_job_run = dying(cluster.let_job_run)  # type: ignore[method-assign]
    records.update = dying(records.update)  # type: ignore[method-assign]
    for at, death in enumerate([*deaths, 0, 0, 0, 0]):
        left[0] = death
        if at == vanishes and NAME in cluster.jobs and cluster.ran[NAME]:
            cluster.forget(NAME)
        try:
            look(world, begun)
        except Unavailable:
            continue
        assert cluster.ran[NAME] <= 1
    assert cluster.ran[NAME] == 1


@given(
    seen=st.none()
    | st.builds(JobSeen, uid=st.sampled_from(["a", "b"]), state=st.just("running"), let_run=st.booleans()),
    noted=st.booleans(),
    late=st.booleans(),
)
def test_nothing_is_made_or_let_run_that_may_have_run(seen: JobSeen | None, noted: bool, late: bool) -> None:
    note = StartedJob("n", "migrate", "a") if noted else None
    action = next_of_job(seen, note, (), late=late, within=60).action
    if action == "make":
        assert seen is None and not noted
    if action in ("note", "let_run"):
        assert seen is not None and not seen.let_run and (not noted or seen.uid == "a") and not late


# --- what the cluster says

CONDITION = {"status": "True"}


def job_of(*, suspend: bool = False, **condition: str) -> JobObject:
    conditions = [{**CONDITION, **condition}] if condition else []
    return msgspec.convert(
        {"metadata": {"uid": "u"}, "spec": {"suspend": suspend}, "status": {"conditions": conditions}},
        JobObject,
    )


def pod_of(phase: str, state: dict[str, Any] | None = None, **status: str) -> Pod:
    containers = [{"name": "main", "state": state}] if state else []
    return msgspec.convert(
        {"metadata": {"name": "p-1"}, "status": {"phase": phase, "containerStatuses": containers, **status}},
        Pod,
    )


@pytest.mark.parametrize(
    ("job", "pods", "state", "words"),
    [
        (job_of(), [], "running", "its Pod runs"),
        (job_of(suspend=True), [], "running", "it is suspended"),
        (job_of(type="Complete"), [], "complete", "exit code 0"),
        (
            job_of(type="Failed", reason="BackoffLimitExceeded"),
            [pod_of("Failed", {"terminated": {"exitCode": 3}})],
            "failed",
            "container main of Pod p-1 ended with exit code 3",
        ),
        (
            job_of(type="Failed", reason="BackoffLimitExceeded"),
            [pod_of("Failed", reason="Evicted", message="The node was low on resource: memory.")],
            "failed",
            "Pod p-1 was ended: Evicted (The node was low on resource: memory.)",
        ),
        (
            job_of(type="Failed", reason="BackoffLimitExceeded", message="Job has reached the limit"),
            [],
            "failed",
            "Job has reached the limit",
        ),
        (job_of(type="Failed", reason="DeadlineExceeded"), [], "failed", "it was stopped at its deadline"),
        (
            job_of(type="Failed", reason="BackoffLimitExceeded"),
            [pod_of("Failed", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}})],
            "failed",
            "OOMKilled: it needs more memory than its limit",
        ),
        (
            job_of(),
            [pod_of("Pending", {"waiting": {"reason": "ContainerCreating"}})],
            "running",
            "ContainerCreating",
        ),
    ],
)
def test_how_far_a_job_is(job: JobObject, pods: list[Pod], state: str, words: str) -> None:
    seen = judge_job(job, pods)
    assert (seen.state, words in seen.reason) == (state, True), seen


def test_what_no_waiting_mends_is_known_at_once() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}
    seen = judge_job(job_of(), [pod_of("Pending", waiting)])
    assert seen.hopeless and "ImagePullBackOff" in seen.reason
