"""Where explorations begin: a record, and the world that goes with it."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.release.payloads import watch_context
from candlefish.release.workload import objects_of
from candlefish.service.model import RollbackRequest, Slot, Version
from candlefish.service.record import (
    ServiceRecord,
    acquire,
    begin_rollback,
    end_rollback,
    intend_weight,
    promote,
    vacate_slot,
)
from lab.memory.release import MemoryBundles
from tests.exploration.actors import Actor, Call, Troupe
from tests.exploration.acts import act
from tests.exploration.cluster import Asked, Stored, ask
from tests.exploration.moves import Moves
from tests.exploration.product import WINDOW
from tests.exploration.subject import ENVIRONMENT, FIRST, NAMESPACE, SERVICE, arn_of, encode
from tests.exploration.world import State, object_at
from tests.support.service import image

NOW = 10_000.0
# Longer than any release here takes.
LEASE = 1500.0
EMPTY = (Stored(), Stored(), Stored(), Stored())
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
    """`running`: of each slot the version, its release, the generation that deployed it, and its Pods."""
    objects = EMPTY
    for slot, (version, release, generation, pods) in running.items():
        objects = _deployed(troupe, record, objects, slot, version, release, generation, pods)  # type: ignore[arg-type]
    return State(encode(record), rule, record.mark, objects, NOW)


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


def first_ever(troupe: Troupe) -> State:
    """v1 serves from green; blue was never deployed."""
    return _world(troupe, live(), (0, 100), green=(V1, "release1", 1, 6))


def window_open(troupe: Troupe) -> State:
    """v2 was promoted into blue, v1 is kept in green, and the watch runs."""
    record = promoted()
    state = _world(troupe, record, (100, 0), blue=(V2, "release2", 2, 6), green=(V1, "release1", 1, 6))
    context = msgspec.to_builtins(watch_context(record))
    watch = troupe.execution("watch", record.watcher, context, NOW)
    return state._replace(actors=(watch,))


def turned(troupe: Troupe) -> State:
    """Somebody took the Pods of the stable slot away, woke the other one and gave it all traffic."""
    state = serving(troupe)
    for words in ("scale green to 0", "scale blue to 3", "set the rule to 100/0"):
        state = act(troupe, state, words)
    return state


def backed_up(troupe: Troupe) -> State:
    """v2 has all traffic and the window is open; the table's backup is from before."""
    return window_open(troupe)._replace(backup=encode(live()))


def straggling(troupe: Troupe) -> State:
    """Release 2 was taken back and the service is free, while its deploy-slot is still on its way to the cluster."""
    old = Version(image(0), "v0")
    state = _world(troupe, given_up(), (0, 100), blue=(old, "release0", 0, 0), green=(V1, "release1", 1, 6))
    return _with_straggler(troupe, state)


def straggling_first(troupe: Troupe) -> State:
    """The same, and nothing was ever deployed into blue."""
    return _with_straggler(troupe, _world(troupe, given_up(), (0, 100), green=(V1, "release1", 1, 6)))


def _with_straggler(troupe: Troupe, state: State) -> State:
    payload = {
        "release": "release2",
        "environment": ENVIRONMENT,
        "service": SERVICE,
        "generation": 2,
        "slot": "blue",
        "required": 5,
        "window": WINDOW,
        "step": {"kind": "deploy"},
        "since": NOW,
    }
    call = Call(troupe.product.arn("deploy_slot"), encode(payload), NOW, (encode(taken()),))
    late = troupe.number(Actor("", "release2 (stopped)", call=call))
    return state._replace(actors=(late,))


def _release_at(state: State, troupe: Troupe, kind: str) -> State:
    """The state once release 2 has come to a step, undisturbed."""
    moves = Moves(troupe)
    for _ in range(400):
        (number,) = state.actors
        op = troupe.asks(number)
        assert op is not None
        if op == ("begin", kind):
            return state
        state = moves.step(state, 0, op).to
    raise AssertionError(f"the release never comes to {kind}")


def _started(troupe: Troupe, state: State) -> State:
    return act(troupe, state, "release v2")


def deploying(troupe: Troupe) -> State:
    """Release 2 is about to deploy."""
    return _release_at(_started(troupe, serving(troupe)), troupe, "deploy_slot")


def deploying_in_place(troupe: Troupe) -> State:
    """Release 2 is about to deploy over v1, in place."""
    return _release_at(_started(troupe, first_ever(troupe)), troupe, "deploy_slot")


def scaling(troupe: Troupe) -> State:
    """Release 2 runs in blue and is about to get the capacity for its weight."""
    return _release_at(_started(troupe, serving(troupe)), troupe, "scale_slot")


def shifting(troupe: Troupe) -> State:
    """Release 2 is ready in blue and about to get all traffic."""
    return _release_at(_started(troupe, serving(troupe)), troupe, "shift_weights")
