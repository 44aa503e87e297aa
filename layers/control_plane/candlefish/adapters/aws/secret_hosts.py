"""The host in a database's secret, in one region.

A secret that is replicated from another region cannot be changed until it is cut off from it
(StopReplicationToReplica, called in the replica's region).
"""

from __future__ import annotations

from typing import Any

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.adapters.aws.secrets import read_json_secret
from candlefish.errors import InvalidInput
from candlefish.failover.facts import SecretFacts


class SecretHosts:
    """`failover.ports.Secrets` in one region."""

    def __init__(self, region: str, secretsmanager: Any) -> None:
        self.region = region
        self._client = secretsmanager

    def read(self, name: str) -> SecretFacts:
        value = self._value(name)
        with aws_call(f"reading what secret {name} in {self.region} is"):
            described = self._client.describe_secret(SecretId=name)
        home = described.get("PrimaryRegion") or self.region
        return SecretFacts(str(value["host"]), replica=home != self.region)

    def _value(self, name: str) -> dict[str, Any]:
        advice = (
            f"a host in {self.region}; write it as RDS does "
            '({"host": ..., "username": ..., "password": ...}), or remove it from the catalog'
        )
        value = read_json_secret(self._client, name, advice)
        if "host" not in value:
            raise InvalidInput(f"secret {name} is not JSON with {advice}")
        return value

    def set_host(self, name: str, host: str) -> None:
        if self.read(name).replica:
            with aws_call(f"cutting secret {name} in {self.region} off from its primary region"):
                try:
                    self._client.stop_replication_to_replica(SecretId=name)
                except ClientError as error:
                    # Somebody cut it off meanwhile: what was to be done is done.
                    if code_of(error) != "InvalidRequestException":
                        raise
        value = {**self._value(name), "host": host}
        with aws_call(f"writing the host of secret {name} in {self.region}"):
            self._client.put_secret_value(SecretId=name, SecretString=msgspec.json.encode(value).decode())
