"""The product with one fence taken away at a time. An exploration that finds none of these proves nothing."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import msgspec

from candlefish.adapters.kubernetes import cluster
from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.adapters.kubernetes.kinds import AUTOSCALERS, DEPLOYMENTS
from candlefish.adapters.kubernetes.messages import MERGE
from candlefish.adapters.kubernetes.objects import find_object
from candlefish.release import (
    begin_release,
    check_ready,
    drift,
    finish_rollback,
    next_step,
    reconcile_cluster,
    reconcile_traffic,
    request_approval,
    restore_traffic,
    retire_slot,
    run_analysis,
    steer_release,
)
from candlefish.release.drain import Drain
from candlefish.release.model import MOST_EXPERIMENTS, PlanStep, Release
from candlefish.service import record as transitions
from candlefish.service.model import RecordMark, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord
from candlefish.traffic import shift
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import Converged
from tests.exploration import broken_jobs, ports
from tests.exploration.actors import Troupe
from tests.exploration.broken_jobs import Break, instead


@dataclass(frozen=True)
class Variant:
    """A fence that is taken away, and the scenarios in which that is looked for, the likeliest first."""

    without: str
    breaks: Break
    scenarios: tuple[str, ...]


# --- the record and the rule ---------------------------------------------------------------------


def _no_read_back(stack: ExitStack) -> None:
    def converge(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
        rules.write(record.rule, record.weights_by_target_group())
        return Converged(record, 1)

    for module in (shift, restore_traffic):
        instead(stack, module, "converge", converge)


def _no_generation(stack: ExitStack) -> None:
    def intend_weight(
        record: ServiceRecord, *, generation: int, slot: Any, weight: int, now: float
    ) -> ServiceRecord:
        return msgspec.structs.replace(
            record, desired={slot: weight, other(slot): 100 - weight}, desired_generation=generation
        )

    instead(stack, shift, "intend_weight", intend_weight)


def _no_new_generation(stack: ExitStack) -> None:
    real = transitions.begin_rollback

    def begin_rollback(record: ServiceRecord, *args: Any, **more: Any) -> ServiceRecord:
        after = real(record, *args, **more)
        return msgspec.structs.replace(after, generation=record.generation)

    def intend_weight(
        record: ServiceRecord, *, generation: int, slot: Any, weight: int, now: float
    ) -> ServiceRecord:
        # Nor does the rollback in the record stop it.
        transitions.require_generation(record, generation)
        return msgspec.structs.replace(record, desired={slot: weight, other(slot): 100 - weight})

    instead(stack, restore_traffic, "begin_rollback", begin_rollback)
    instead(stack, shift, "intend_weight", intend_weight)


def _no_last_look_at_the_rule(stack: ExitStack) -> None:
    def repair_drift(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
        return Converged(record, 0)

    instead(stack, finish_rollback, "repair_drift", repair_drift)


def _no_drain(stack: ExitStack) -> None:
    instead(stack, retire_slot, "is_drained", lambda *args, **more: Drain(True, "nobody looked"))


# --- the plan ------------------------------------------------------------------------------------


def _plan_without_condition(stack: ExitStack) -> None:
    def replan(self: ports.Journal, seen: Release, plan: tuple[PlanStep, ...]) -> None:
        self._replay.ask("plan.put", None, ports._written(plan))

    instead(stack, ports.Journal, "replan", replan)


def _any_number_of_experiments(stack: ExitStack) -> None:
    # Without any end its machine would never wait for anything.
    def why_not(request: Any, record: ServiceRecord, release: Release, *rest: Any) -> str:
        return "" if release.experiments <= MOST_EXPERIMENTS else "enough"

    instead(stack, run_analysis, "why_not_experiment", why_not)


# --- what people say ------------------------------------------------------------------------------


def _held_weights(stack: ExitStack) -> None:
    instead(stack, transitions, "_refuse_held", lambda record: None)


def _of_whatever_release(stack: ExitStack) -> None:
    instead(stack, transitions, "check_running", lambda record, release: None)


def _abort_after_the_end(stack: ExitStack) -> None:
    real = transitions.begin_rollback

    def begin_rollback(record: ServiceRecord, request: Any, **more: Any) -> ServiceRecord:
        return real(record, msgspec.structs.replace(request, only_running=False), **more)

    instead(stack, restore_traffic, "begin_rollback", begin_rollback)


def _asked_without_look(stack: ExitStack) -> None:
    instead(stack, request_approval, "_promoter", lambda release, question: "")


def _promoted_without_look(stack: ExitStack) -> None:
    def is_answered(asked: Any, seen: Any, *more: Any) -> bool:
        return seen is not None and asked.question == seen.question

    instead(stack, steer_release, "_is_answered_by_it", is_answered)


def _over_without_look(stack: ExitStack) -> None:
    instead(stack, request_approval, "_none_promoted", lambda release, question: True)


def _begins_frozen(stack: ExitStack) -> None:
    instead(stack, begin_release, "refuse_frozen", lambda *said, **more: None)


def _goes_on_frozen(stack: ExitStack) -> None:
    instead(stack, next_step, "refuse_frozen", lambda *said, **more: None)


# --- the cluster ---------------------------------------------------------------------------------


def _without_look(stack: ExitStack, method: str, called_by: str = "") -> None:
    """A method of the adapter that overlooks who wrote the object; only when another one calls it, if it is named."""
    real = getattr(KubernetesCluster, called_by or method)

    def careless(self: KubernetesCluster, *args: Any, **more: Any) -> Any:
        with patch.object(cluster, "refuse_newer", lambda *said: None):
            return real(self, *args, **more)

    instead(stack, KubernetesCluster, called_by or method, careless)


def _apply_without_generation(stack: ExitStack) -> None:
    _without_look(stack, "_rehearse")


def _apply_without_version(stack: ExitStack) -> None:
    real = KubernetesCluster._send

    def send(self: KubernetesCluster, manifest: Any, *, version: str = "", **more: Any) -> Any:
        return real(self, manifest, **more)

    instead(stack, KubernetesCluster, "_send", send)


def _patch(self: KubernetesCluster, path: str, spec: dict[str, Any]) -> None:
    self._api.request(
        "PATCH", path, subject="it", query={"fieldManager": "us"}, body={"spec": spec}, content_type=MERGE
    )


def _raise_without_fence(stack: ExitStack) -> None:
    def raise_to(
        self: KubernetesCluster, namespace: str, name: str, replicas: int, *, generation: int
    ) -> int:
        now = self.current_replicas(namespace, name)
        if now < replicas:
            _patch(self, DEPLOYMENTS.format(namespace, name), {"replicas": replicas})
        return max(now, replicas)

    instead(stack, KubernetesCluster, "raise_to", raise_to)


def _bounds_without_fence(stack: ExitStack) -> None:
    def set_bounds(
        self: KubernetesCluster, namespace: str, name: str, *, minimum: int, maximum: int, generation: int
    ) -> None:
        bounds = {"minReplicas": minimum, "maxReplicas": maximum}
        _patch(self, AUTOSCALERS.format(namespace, name), bounds)

    instead(stack, KubernetesCluster, "set_bounds", set_bounds)


def _retire_without_generation(stack: ExitStack) -> None:
    _without_look(stack, "_write", called_by="retire")


def _retire_without_version(stack: ExitStack) -> None:
    def retire(self: KubernetesCluster, namespace: str, name: str, generation: int) -> bool:
        subject, path = name, DEPLOYMENTS.format(namespace, name)
        live: Any = find_object(self._api, subject, path, dict)
        if live is not None:
            cluster.refuse_newer(subject, live["metadata"].get("annotations") or {}, generation)
            _patch(self, path, {"replicas": 0})
        return False

    instead(stack, KubernetesCluster, "retire", retire)


def _retire_without_intention(stack: ExitStack) -> None:
    def begin_retiring(
        record: ServiceRecord, *, generation: int, slot: Any, now: float
    ) -> tuple[ServiceRecord, str]:
        return record, transitions.why_not_retire(record, slot, now)

    instead(stack, retire_slot, "begin_retiring", begin_retiring)


def _ready_without_look(stack: ExitStack) -> None:
    instead(stack, check_ready, "overwritten", lambda *args: "")


def _no_wait_for_writers(stack: ExitStack) -> None:
    instead(stack, retire_slot, "wait_for_writers", lambda *args: 0.0)


def _reconciler_of_two_minutes(stack: ExitStack) -> None:
    """It lived so long once; tools/lint_template.py (writers) is what keeps it from that."""
    deadline = Troupe.deadline

    def later(self: Troupe, number: int) -> float | None:
        at = deadline(self, number)
        return at if at is None or self.function(number) != "reconcile_traffic" else at + 100.0

    instead(stack, Troupe, "deadline", later)


def _rollback_without_shares(stack: ExitStack) -> None:
    instead(stack, retire_slot, "repair_drift", lambda record, **ports: Converged(record, 0))


# --- the reconcilers -----------------------------------------------------------------------------


def _no_look_at_the_cluster(stack: ExitStack) -> None:
    instead(stack, reconcile_cluster, "needed_cluster_repairs", lambda *args, **more: [])


def _no_look_at_targets(stack: ExitStack) -> None:
    instead(stack, shift, "may_shift", lambda *args: "")


def _accuse_at_once(stack: ExitStack) -> None:
    for module in (reconcile_traffic, reconcile_cluster):
        instead(stack, module, "changed_by_others", lambda *args, **more: True)


def _no_wait_before_accusing(stack: ExitStack) -> None:
    instead(stack, drift, "weights_settle_at", lambda *args: 0.0)


def _no_quarantine(stack: ExitStack) -> None:
    """Neither the rule's tags nor the generations in the cluster stop anybody."""
    instead(stack, reconcile_traffic, "mark_on", lambda *args, **more: RecordMark())
    instead(stack, reconcile_cluster, "quarantine", lambda record, **what: record)


# In the order of the protocol.
VARIANTS: tuple[Variant, ...] = (
    Variant("the generation in the record's weights", _no_generation, ("rollback-while-shifting",)),
    Variant("a new generation of a rollback", _no_new_generation, ("rollback-while-shifting",)),
    Variant("the read-back after a rule was written", _no_read_back, ("rollback-while-shifting",)),
    Variant("the last look at the rule", _no_last_look_at_the_rule, ("late-weight",)),
    Variant(
        "a reconciler that lives no longer than others wait", _reconciler_of_two_minutes, ("late-repair",)
    ),
    Variant("waiting until a slot is drained", _no_drain, ("rollback-while-shifting",)),
    Variant("the plan that a look has read", _plan_without_condition, ("experiment-late-look",)),
    Variant("at most two experiments", _any_number_of_experiments, ("experiment-innocent",)),
    Variant(
        "the plan that a look has read, beside a promotion", _plan_without_condition, ("promote-innocent",)
    ),
    Variant("the look at holds before weight grows", _held_weights, ("pause-while-shifting",)),
    Variant("the look at holds before a promotion", _held_weights, ("pause-while-promoting",)),
    Variant("the release that a pause or its end is meant for", _of_whatever_release, ("pause-of-another",)),
    Variant("the end of a release that an abort looks at", _abort_after_the_end, ("abort-while-promoting",)),
    Variant("the look at the plan after a question is asked", _asked_without_look, ("promote-while-asking",)),
    Variant(
        "the look for a question after a plan is promoted", _promoted_without_look, ("promote-while-asking",)
    ),
    Variant(
        "the look at the plan when the time to answer is over", _over_without_look, ("promote-while-asking",)
    ),
    Variant("the look at freezes before a release begins", _begins_frozen, ("frozen",)),
    Variant("the look at freezes before users meet a version", _goes_on_frozen, ("frozen-before-weight",)),
    Variant("the generation that an apply looks at", _apply_without_generation, ("straggler",)),
    Variant("the resourceVersion that an apply carries", _apply_without_version, ("straggler",)),
    Variant("the fence of raise_to", _raise_without_fence, ("straggler-waking",)),
    Variant("the fence of set_bounds", _bounds_without_fence, ("straggler-pinning",)),
    Variant("the generation that retire looks at", _retire_without_generation, ("window-closes",)),
    Variant("the resourceVersion that retire carries", _retire_without_version, ("window-closes",)),
    Variant("the intention before a retirement", _retire_without_intention, ("rollback-as-window-closes",)),
    Variant("the last look of a deploy", _ready_without_look, ("drift-before-weight",)),
    Variant(
        "waiting for the cluster's older writers", _no_wait_for_writers, ("rollback-while-deploying-first",)
    ),
    Variant(
        "the look of a rollback at a worker's shares", _rollback_without_shares, ("worker-rollback-alone",)
    ),
    Variant("writing a Job down before it is let run", broken_jobs.not_written_down, ("job-deleted",)),
    Variant("the looks whether a Job is written down", broken_jobs.not_looked_up, ("job-deleted",)),
    Variant("the uid that a look at a Job compares", broken_jobs.in_its_place, ("job-deleted-unheard",)),
    Variant(
        "the uid that a Job is written down with",
        broken_jobs.whatever_is_written_down,
        ("job-deleted-unheard",),
    ),
    Variant("the generation of who writes a Job down", broken_jobs.of_any_generation, ("job-rollback",)),
    Variant("the name by which a Job is found again", broken_jobs.of_any_name, ("job",)),
    Variant("making a Job suspended", broken_jobs.begins_at_once, ("job-deleted",)),
    Variant(
        "the resourceVersion that letting a Job run carries",
        broken_jobs.let_run_without_version,
        ("job-suspended",),
    ),
    Variant("waiting for who lets a Job run", _no_wait_for_writers, ("job-rollback",)),
    Variant("the look for other Jobs at work", broken_jobs.whoever_is_at_work, ("job-left",)),
    Variant("waiting for the end of a Job", broken_jobs.without_end, ("job",)),
    Variant("the end of a release whose Job failed", broken_jobs.whatever_end, ("job",)),
    Variant("the look of the reconciler at the cluster", _no_look_at_the_cluster, ("drift",)),
    Variant("the look of the reconciler at targets", _no_look_at_targets, ("drift-of-the-rule",)),
    Variant(
        "the look whether a shift had arrived before anybody is accused",
        _accuse_at_once,
        ("looks-while-shifting", "looks-after-death"),
    ),
    Variant(
        "the time of older writers before weights are settled",
        _no_wait_before_accusing,
        ("looks-after-late-weight",),
    ),
    Variant("the quarantine of what is older than the world", _no_quarantine, ("restored",)),
)


@contextmanager
def broken(variant: Variant) -> Any:
    """The product without it."""
    with ExitStack() as stack:
        variant.breaks(stack)
        yield
