"""Where explorations begin: a record, and the world that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.release.configuration import configured
from candlefish.release.model import AskedFreeze
from candlefish.release.payloads import watch_context
from candlefish.release.record import AskedFreezes, add_freeze
from candlefish.release.workload import objects_of
from candlefish.service.model import SLOTS, RollbackRequest, Sharing, Slot, Version
from candlefish.service.record import (
    ServiceRecord,
    acquire,
    begin_rollback,
    end_rollback,
    intend_weight,
    promote,
    vacate_slot,
)
from candlefish.traffic.shares import group_name, rule_name
from lab.memory.release import MemoryBundles
from tests.exploration.actors import BEGIN, DIES_FOR_GOOD, Troupe
from tests.exploration.acts import act
from tests.exploration.cluster import Asked, Stored, ask
from tests.exploration.jobs import ends
from tests.exploration.moves import Moves
from tests.exploration.product import WINDOW
from tests.exploration.subject import ENVIRONMENT, FIRST, FIRST_MOMENT, NAMESPACE, SERVICE, Op, arn_of, encode
from tests.exploration.world import Flying, State, object_at, slots
from tests.support.service import image

NOW = FIRST_MOMENT
# Longer than any release here takes.
LEASE = 1500.0
EMPTY = (Stored(),) * 5
# How many Pods the service has, and may have.
PODS, MOST = 6, 25
V1, V2 = (Version(image(n), f"v{n}") for n in (1, 2))


# --- records -----------------------------------------------------------------------------------


def live() -> ServiceRecord:
    """v1 serves from green, and its window is closed."""
    record = _taken(FIRST, "release1", V1, 0.0)
    record = intend_weight(record, generation=1, slot="green", weight=100)
    return _revised(promote(record, generation=1, now=1.0, window=WINDOW), 5)


def taken(*, in_place: bool = False) -> ServiceRecord:
    """Release 2 has taken the service for v2 just now."""
    return _revised(_taken(live(), "release2", V2, NOW, in_place=in_place), 6)


def promoted(*, in_place: bool = False) -> ServiceRecord:
    """v2 has been promoted just now: into blue, with v1 in green; or in place, in green."""
    record = taken(in_place=in_place)
    slot: Slot = "green" if in_place else "blue"
    record = intend_weight(record, generation=2, slot=slot, weight=100)
    return _revised(promote(record, generation=2, now=NOW, window=WINDOW), 9)


def given_up() -> ServiceRecord:
    """Release 2 was taken back before it had any weight, and the service is free again."""
    request = RollbackRequest(id="rb", environment=ENVIRONMENT, service=SERVICE, reason="no", by="ada")
    record = begin_rollback(taken(), request, execution="arn:rb", now=NOW, lease=LEASE)
    record = vacate_slot(record, generation=3, slot="blue", now=NOW)
    return _revised(end_rollback(record, generation=3, now=NOW), 12)


def _taken(
    record: ServiceRecord, release: str, version: Version, now: float, *, in_place: bool = False
) -> ServiceRecord:
    return acquire(
        record,
        release=release,
        execution=arn_of("release", release),
        version=version,
        in_place=in_place,
        now=now,
        lease=LEASE,
    )


def _revised(record: ServiceRecord, revision: int) -> ServiceRecord:
    return msgspec.structs.replace(record, revision=revision)


# --- beginnings --------------------------------------------------------------------------------


def _world(
    troupe: Troupe,
    record: ServiceRecord,
    rule: tuple[int, int],
    **running: tuple[Version, str, int, int],
) -> State:
    """`running`: of each slot the version, its release, the generation that deployed it, and its Pods.

    Of a worker a slot without weight has none, and a Service stands for the rule.
    """
    objects = EMPTY
    if troupe.product.shared:
        record = _as_shared(record)
        objects = _service(objects, rule, record)
    for slot, (version, release, generation, pods) in running.items():
        if troupe.product.shared and not rule[SLOTS.index(slot)]:  # type: ignore[arg-type]
            pods = 0
        objects = _deployed(troupe, record, objects, slot, version, release, generation, pods)  # type: ignore[arg-type]
    migrates = bool(troupe.product.catalog.service(SERVICE).jobs)
    return State(encode(record), rule, record.mark, objects, NOW, migrates=migrates)


def _as_shared(record: ServiceRecord) -> ServiceRecord:
    """The record of the service as a worker."""
    slots = {
        slot: msgspec.structs.replace(
            each, target_group=group_name("worker", NAMESPACE, SERVICE, ENVIRONMENT, slot)
        )
        for slot, each in record.slots.items()
    }
    return msgspec.structs.replace(
        record,
        rule=rule_name("worker", NAMESPACE, SERVICE),
        smoke_rule="",
        slots=slots,
        sharing=Sharing("blue", PODS, MOST) if record.stable == "blue" else None,
    )


def _service(objects: Any, rule: tuple[int, int], record: ServiceRecord) -> Any:
    selector = {"candlefish.ai/service": SERVICE, "candlefish.ai/slot": SLOTS[rule.index(100)]}
    notes = {
        "candlefish.ai/weights": f"blue={rule[0]},green={rule[1]}",
        "candlefish.ai/environment": ENVIRONMENT,
        "candlefish.ai/generation": str(record.generation),
        "candlefish.ai/revision": str(record.revision),
    }
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "annotations": notes, "labels": {"candlefish.ai/share": "worker"}},
        "spec": {"clusterIP": "None", "selector": selector},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/services"
    at = object_at(SERVICE, "services")
    made, answer = ask(
        objects[at], Asked("POST", "services", SERVICE, path, (), encode(body), "application/json"), NAMESPACE
    )
    assert answer.status == 201, answer
    return (*objects[:at], made, *objects[at + 1 :])


def _deployed(
    troupe: Troupe,
    record: ServiceRecord,
    objects: Any,
    slot: Slot,
    version: Version,
    release: str,
    generation: int,
    pods: int,
) -> Any:
    by = msgspec.structs.replace(record, generation=generation)
    made = list(objects)
    for manifest in objects_of(
        by, slot, version, release=release, catalog=troupe.product.catalog, bundles=MemoryBundles()
    ):
        plural = {"Deployment": "deployments", "HorizontalPodAutoscaler": "horizontalpodautoscalers"}.get(
            manifest["kind"]
        )
        if plural is None:
            continue
        if plural == "deployments":
            manifest = {**manifest, "spec": {**manifest["spec"], "replicas": pods}}
        at = object_at(f"{SERVICE}-{slot}", plural)
        made[at], answer = ask(made[at], _put(manifest, plural, slot), NAMESPACE)
        assert answer.status == 201, answer
    return tuple(made)


def _put(manifest: Any, plural: str, slot: Slot) -> Asked:
    group = "apps/v1" if plural == "deployments" else "autoscaling/v2"
    path = f"/apis/{group}/namespaces/{NAMESPACE}/{plural}"
    return Asked("POST", plural, f"{SERVICE}-{slot}", path, (), encode(manifest), "application/json")


def serving(troupe: Troupe) -> State:
    """v1 serves from green; blue has objects of an earlier release, and no Pods."""
    old = Version(image(0), "v0")
    return _world(troupe, live(), (0, 100), blue=(old, "release0", 0, 0), green=(V1, "release1", 1, 6))


def configuring(troupe: Troupe) -> State:
    """The image that people release serves from green already, with the configuration of a smaller catalog."""
    catalog = troupe.product.catalog
    known = catalog.services[SERVICE]
    small = msgspec.structs.replace(
        known, resources=msgspec.structs.replace(known.resources, memory_limit="1500Mi")
    )
    before = msgspec.structs.replace(catalog, services={**catalog.services, SERVICE: small})
    version = configured(msgspec.structs.replace(V2, label="v1"), SERVICE, ENVIRONMENT, before)
    record = live()
    green = msgspec.structs.replace(record.slots["green"], version=version)
    record = msgspec.structs.replace(record, slots={**record.slots, "green": green})
    return _world(troupe, record, (0, 100), green=(version, "release1", 1, 6))


def first_ever(troupe: Troupe) -> State:
    """v1 serves from green; blue was never deployed."""
    return _world(troupe, live(), (0, 100), green=(V1, "release1", 1, 6))


def window_open(troupe: Troupe) -> State:
    """v2 was promoted into blue, v1 is kept in green for some seconds more, and the watch runs.

    So few that whoever begins now is at work still when the window closes.
    """
    record, now = promoted(), NOW + WINDOW - 10
    state = _world(troupe, record, (100, 0), blue=(V2, "release2", 2, 6), green=(V1, "release1", 1, 6))
    context = msgspec.to_builtins(watch_context(record))
    watch = troupe.execution("watch", record.watcher, context, now)
    return state._replace(actors=(watch,), clock=now)


def turned(troupe: Troupe) -> State:
    """Somebody took the Pods of the stable slot away, woke the other one and gave it all traffic."""
    state = serving(troupe)
    for words in ("scale green to 0", "scale blue to 3", "set the rule to 100/0"):
        state = act(troupe, state, words)
    return state


def backed_up(troupe: Troupe) -> State:
    """v2 has all traffic and the window is open; the table's backup is from before."""
    return window_open(troupe)._replace(backup=encode(live()))


# --- a release that has come to somewhere --------------------------------------------------------


def _played(troupe: Troupe, state: State, until: Callable[[State, Op], bool]) -> State:
    """The state once release 2, which begins where there is none, is about to ask something; undisturbed."""
    state, moves = state if state.actors else act(troupe, state, "release v2"), Moves(troupe)
    for _ in range(400):
        op = troupe.asks(state.actors[0])
        assert op is not None
        if until(state, op):
            return state
        state = moves.step(state, 0, op).to
    raise AssertionError("the release never comes there")


def _begins(function: str) -> Callable[[State, Op], bool]:
    return lambda state, op: op == (BEGIN, function)


def deploying(troupe: Troupe) -> State:
    """Release 2 is about to deploy."""
    return _played(troupe, serving(troupe), _begins("deploy_slot"))


def deploying_first(troupe: Troupe) -> State:
    """Release 2 is about to deploy where nothing ever was; by the rolling strategy, over v1."""
    return _played(troupe, first_ever(troupe), _begins("deploy_slot"))


def overwritten(troupe: Troupe) -> State:
    """Release 2 was deployed, and somebody set another image before it is looked at."""
    return act(
        troupe, _played(troupe, serving(troupe), _begins("check_ready")), "set the image of blue to v9"
    )


def migrating(troupe: Troupe) -> State:
    """Release 2 is about to make its migration."""
    return _played(troupe, serving(troupe), _begins("run_job"))


def migration_made(troupe: Troupe) -> State:
    """The migration of release 2 is made, and has not begun."""
    return _played(troupe, migrating(troupe), lambda state, op: bool(state.jobs) and op == (BEGIN, "run_job"))


def _migration_runs(troupe: Troupe) -> State:
    state = migration_made(troupe)
    return _played(troupe, state, lambda state, op: bool(state.jobs[0].since))


def migration_left(troupe: Troupe) -> State:
    """Release 2 was taken back and the service is free, while its migration still runs."""
    state = _world(troupe, given_up(), (0, 100), green=(V1, "release1", 1, 6))
    return state._replace(jobs=_migration_runs(troupe).jobs)


def warming(troupe: Troupe) -> State:
    """Release 2 has all traffic, and is about to make the Job that comes last."""
    state = _migration_runs(troupe)
    (job,) = state.jobs
    state = state._replace(jobs=ends(state.jobs, job, "complete"))
    return _played(troupe, state, lambda state, op: op == (BEGIN, "run_job") and state.rule == (100, 0))


def scaling(troupe: Troupe) -> State:
    """Release 2 runs in blue and is about to get the capacity for its weight."""
    return _played(troupe, serving(troupe), _begins("scale_slot"))


def shifting(troupe: Troupe) -> State:
    """Release 2 is ready in blue and about to get all traffic."""
    return _played(troupe, serving(troupe), _begins("shift_weights"))


def judging(troupe: Troupe) -> State:
    """Release 2 has a part of the traffic, and is about to be judged."""
    return _played(troupe, serving(troupe), _begins("run_analysis"))


def asking(troupe: Troupe) -> State:
    """Release 2 has a part of the traffic and is told to ask a person, and has not asked yet."""
    return _played(troupe, serving(troupe), _begins("request_approval"))


def looking(troupe: Troupe) -> State:
    """Release 2 has made its canary's weight 0, and is about to look what that shows."""
    state = _played(troupe, serving(troupe), lambda state, op: state.plan.experiments == 1)
    return _played(troupe, state, _begins("run_analysis"))


def promoting(troupe: Troupe) -> State:
    """Release 2 has all traffic, and is about to be promoted."""
    return _played(troupe, serving(troupe), _begins("promote_release"))


def frozen(troupe: Troupe) -> State:
    """v1 serves, and somebody has frozen releases a while ago."""
    return _freeze(serving(troupe))


def frozen_while_deploying(troupe: Troupe) -> State:
    """Release 2 is about to deploy, and somebody has frozen releases since it began."""
    return _freeze(deploying(troupe))


def frozen_before_weight(troupe: Troupe) -> State:
    """Release 2 is scaled in blue and is told its next step, and somebody has frozen releases since it began."""
    state = _played(troupe, serving(troupe), lambda state, op: slots(state)[0].replicas == PODS)
    return _freeze(_played(troupe, state, _begins("next_step")))


def _freeze(state: State) -> State:
    freeze = AskedFreeze("", "an incident", "platform-lead", NOW - 1.0, NOW + 86400.0)
    return state._replace(freezes=encode(add_freeze(AskedFreezes(ENVIRONMENT), freeze)))


def late_weight(troupe: Troupe) -> State:
    """The function that gave release 2 all traffic died while its request was in flight."""
    state = _played(troupe, serving(troupe), lambda state, op: op[0] == "rule.write")
    number, op = state.actors[0], troupe.asks(state.actors[0])
    deadline = troupe.deadline(number)
    assert op is not None and deadline is not None
    dead = troupe.resume(number, DIES_FOR_GOOD, state.clock)
    return state._replace(actors=(dead,), flying=(Flying(op, deadline),))


def late_repair(troupe: Troupe) -> State:
    """Release 2 has all traffic, somebody set the rule by hand, and the reconciler died while its repair was in flight."""
    state = _played(troupe, serving(troupe), _begins("promote_release"))
    state = act(troupe, state, "set the rule to 0/100")
    look = troupe.invocation(troupe.product.arn("reconcile_traffic"), {})
    looked = _played(troupe, state._replace(actors=(look,)), lambda state, op: op[0] == "rule.write")
    op, deadline = troupe.asks(looked.actors[0]), troupe.deadline(looked.actors[0])
    assert op is not None and deadline is not None
    return looked._replace(actors=state.actors, flying=(Flying(op, deadline),))


# --- a function that comes later than anybody waits for ------------------------------------------


def _straggler(troupe: Troupe, beginning: State, until: Callable[[State, Op], bool]) -> int:
    """The invocation alone that release 2 is in, about to ask something."""
    return troupe.orphan(_played(troupe, beginning, until).actors[0])


def _first_request(state: State, op: Op) -> bool:
    return op[0] == "kube"


def _asks_for_bounds(state: State, op: Op) -> bool:
    return op[0] == "kube" and op[1].plural == "horizontalpodautoscalers"


def looking_late(troupe: Troupe) -> State:
    """Release 2 has put its second experiment into the plan, while the look that wanted the first is about to do so."""
    late = _straggler(troupe, serving(troupe), lambda state, op: op[0] == "plan.put")
    state = _played(troupe, serving(troupe), lambda state, op: state.plan.experiments == 2)
    return state._replace(actors=(*state.actors, late))


def straggling(troupe: Troupe) -> State:
    """Release 2 was taken back and the service is free, while its deploy is still on its way to the cluster."""
    old = Version(image(0), "v0")
    state = _world(troupe, given_up(), (0, 100), blue=(old, "release0", 0, 0), green=(V1, "release1", 1, 6))
    return state._replace(actors=(_straggler(troupe, serving(troupe), _first_request),))


def straggling_first(troupe: Troupe) -> State:
    """The same, and nothing was ever deployed into blue."""
    state = _world(troupe, given_up(), (0, 100), green=(V1, "release1", 1, 6))
    return state._replace(actors=(_straggler(troupe, first_ever(troupe), _first_request),))


def _retired(troupe: Troupe) -> State:
    """Release 2 was deployed and taken back: the rollback's generation stands on all that it wrote."""
    return _world(troupe, given_up(), (0, 100), blue=(V2, "release2", 3, 0), green=(V1, "release1", 3, 6))


def waking_late(troupe: Troupe) -> State:
    """The same, while its deploy is about to wake the Pods."""

    def applied(state: State, op: Op) -> bool:
        blue = slots(state)[0]
        return (blue.generation, blue.bounds_generation, op[0]) == (2, 2, "kube")

    return _retired(troupe)._replace(actors=(_straggler(troupe, serving(troupe), applied),))


def pinning_late(troupe: Troupe) -> State:
    """The same, while it is about to keep the stable slot from scaling in."""
    state = _played(troupe, serving(troupe), _begins("scale_slot"))
    return _retired(troupe)._replace(actors=(_straggler(troupe, state, _asks_for_bounds),))
