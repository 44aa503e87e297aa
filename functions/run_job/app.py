"""Run a Job of a release, once, and look how far it is."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.payloads import JobInput, JobLook
from candlefish.release.run_job import run_job

use = partial(
    run_job,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    journal=wire.journal(),
    now=wire.now,
)


@look
def lambda_handler(event: JobInput) -> JobLook:
    return use(event)
