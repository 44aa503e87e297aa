"""The catalog of the tests with a worker, a service in the cluster and a stateful one beside the others."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.catalogs import FIXTURES

WORKER, CLUSTER, STATEFUL = "mailer", "prices", "ledger"
_SIZE = """
  image: ghcr.io/example-org/{name}
  repository: example-org/shop
  replicas: {{min: {least}, max: {most}}}
  resources: {{cpu: 100m, memory: 128Mi, cpu_limit: 200m, memory_limit: 256Mi}}
  owner: platform
  judge: counted
"""
_SERVICES = {
    WORKER: "  kind: worker\n",
    CLUSTER: "  kind: cluster\n  port: 8080\n  health_path: /health\n",
    STATEFUL: (
        "  kind: stateful\n  port: 8080\n  health_path: /health\n"
        "  stateful: {volumes: [{name: data, path: /data, size: 10Gi}]}\n"
    ),
}
_RANGES = {STATEFUL: (3, 3)}
COUNTED = """
counted:
  sources:
    prometheus: {preset: worker, window: 15s, settle: 15s}
"""


# The same in CloudWatch, as the simulator's workers publish it.
PUBLISHED = """
counted:
  sources:
    custom_metrics:
      namespace: Work
      requests: Jobs
      errors: Failed
      dimensions: {Service: "{service}", Slot: "{slot}"}
"""


def kinds_catalog(folder: Path, policy: str = COUNTED) -> Path:
    """A copy of the catalog with all of them, judged by this policy."""
    shutil.copytree(FIXTURES, folder, ignore=shutil.ignore_patterns("schema"))
    with (folder / "services.yaml").open("a", encoding="utf-8") as out:
        for name, more in _SERVICES.items():
            least, most = _RANGES.get(name, (4, 20))
            out.write(f"\n{name}:{_SIZE.format(name=name, least=least, most=most)}{more}")
    with (folder / "policies.yaml").open("a", encoding="utf-8") as out:
        out.write(policy)
    return folder
