"""A slot's Kubernetes objects: from the catalog (`render`) or from a Helm bundle (`from_bundle`)."""

from candlefish.release.manifests.bundle import from_bundle
from candlefish.release.manifests.bundle_jobs import BundledJob, bundled_jobs
from candlefish.release.manifests.cron import cron_objects
from candlefish.release.manifests.images import other_images
from candlefish.release.manifests.jobs import job_objects
from candlefish.release.manifests.model import MANAGER, Workload, slot_name
from candlefish.release.manifests.references import claims
from candlefish.release.manifests.render import render, service_port

__all__ = [
    "MANAGER",
    "BundledJob",
    "Workload",
    "bundled_jobs",
    "claims",
    "cron_objects",
    "from_bundle",
    "job_objects",
    "other_images",
    "render",
    "service_port",
    "slot_name",
]
