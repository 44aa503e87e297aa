"""HorizontalPodAutoscalers without metrics: keep a Deployment inside its range, rest while it is at 0."""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import CONTROLLER, condition, conditions_of
from lab.kube.kinds import AUTOSCALER, DEPLOYMENT
from lab.kube.runtime import Object
from lab.kube.writes import Writes

_NO_METRICS = "the lab has no metrics API, so replicas stay inside the range and do not follow load"


def sync(writes: Writes) -> None:
    """Move every target into its range."""
    for each in writes.store.list(AUTOSCALER):
        reference = each["spec"]["scaleTargetRef"]
        target = None
        if reference["kind"] == "Deployment":
            target = writes.store.get(DEPLOYMENT, each["metadata"]["namespace"], reference["name"])
        if target is None:
            _report(writes, each, 0, 0, able=False, active=False, why=("FailedGetScale", "target not found"))
            continue
        _sync_one(writes, each, target)


def _sync_one(writes: Writes, value: Object, target: Object) -> None:
    spec, now = value["spec"], target["spec"]["replicas"]
    if now == 0:
        why = ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
        _report(writes, value, 0, 0, able=True, active=False, why=why)
        return
    wanted = min(max(now, spec["minReplicas"]), spec["maxReplicas"])
    if wanted != now:
        writes.scale(DEPLOYMENT, target, wanted, CONTROLLER)
    why = ("FailedGetResourceMetric", _NO_METRICS)
    _report(
        writes,
        value,
        int((target.get("status") or {}).get("replicas", 0)),
        wanted,
        able=True,
        active=False,
        why=why,
    )


def _report(
    writes: Writes,
    value: Object,
    current: int,
    desired: int,
    *,
    able: bool,
    active: bool,
    why: tuple[str, str],
) -> None:
    before, now = conditions_of(value), writes.now()
    can = ("SucceededGetScale", "the controller was able to get the target's current scale")
    status: dict[str, Any] = {
        "desiredReplicas": desired,
        "conditions": [
            condition(before.get("AbleToScale"), "AbleToScale", able, *(can if able else why), now),
            condition(before.get("ScalingActive"), "ScalingActive", active, *why, now),
        ],
    }
    if current:
        status["currentReplicas"] = current
    writes.set_status(AUTOSCALER, value, status)
