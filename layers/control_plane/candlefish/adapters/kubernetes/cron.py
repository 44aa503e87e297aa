"""CronJobs of services over the Kubernetes API: listed, rested and let go on. See `release.ports.Cluster`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from candlefish.adapters.kubernetes.kinds import CRON_JOBS
from candlefish.adapters.kubernetes.messages import RequestCarrier
from candlefish.adapters.kubernetes.objects import answered, patch_as_seen
from candlefish.release.cron import cron_seen
from candlefish.release.manifests.model import CRON_LABEL, GENERATION_NOTE, RESTING_NOTE, refuse_newer
from candlefish.release.model import CronSeen, Manifest


class CronItems(msgspec.Struct, frozen=True):
    items: tuple[dict[str, Any], ...] = ()


class KubernetesCron:
    """The part of `Cluster` that is about CronJobs. They are made and changed by `apply`."""

    def __init__(self, api: RequestCarrier) -> None:
        self._api = api

    def of(self, namespace: str, service: str) -> tuple[CronSeen, ...]:
        subject = f"CronJobs of {service} in {namespace}"
        # A service has a few: one page.
        query = {"labelSelector": f"{CRON_LABEL}={service}"}
        answer = self._api.request("GET", CRON_JOBS.format(quote(namespace)), subject=subject, query=query)
        return tuple(map(cron_seen, answered(subject, answer, CronItems).items))

    def rest(self, namespace: str, name: str, rests: bool, *, generation: int) -> None:
        subject = f"CronJob {name} in {namespace}"

        def change(live: Manifest) -> Manifest:
            refuse_newer(subject, live["metadata"].get("annotations") or {}, generation)
            note = {GENERATION_NOTE: str(generation), RESTING_NOTE: "true" if rests else None}
            return {"metadata": {"annotations": note}, "spec": {"suspend": rests}}

        path = f"{CRON_JOBS.format(quote(namespace))}/{quote(name)}"
        patch_as_seen(self._api, subject, path, change)
