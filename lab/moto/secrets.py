"""Secrets Manager: a replica that is cut off from its source becomes a secret of its own.

moto knows replicas but not StopReplicationToReplica.
"""

from __future__ import annotations

import copy
import json

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import ReplicaSecret
from moto.secretsmanager.responses import SecretsManagerResponse


def _stop_replication(response: SecretsManagerResponse) -> str:
    backend = response.backend
    secret = backend.secrets.get(response._get_param("SecretId"))
    if not isinstance(secret, ReplicaSecret):
        raise InvalidRequestException("The secret is not a replica.")
    own = copy.copy(secret.source)
    own.versions = copy.deepcopy(secret.source.versions)
    own.arn, own.region, own.replicas = secret.arn, secret.region, []
    secret.source.replicas = [r for r in secret.source.replicas if r is not secret]
    backend.secrets[secret.arn] = own
    return json.dumps({"ARN": secret.arn})


def install() -> None:
    """Put it in moto's place."""
    SecretsManagerResponse.stop_replication_to_replica = _stop_replication  # type: ignore[attr-defined]
