"""Records and releases in one DynamoDB table.

| pk | sk | what |
|---|---|---|
| `record#<environment>` | `<service>` | a service's record; conditional on `revision` |
| `release#<id>` | `release` | a release |
| `release#<id>` | `entry#<time>#<n>` | an entry of its timeline |
| `release#<id>` | `approval` | its open or last question (`approvals.py`) |
| `releases#<environment>#<service>` | `<time>#<id>` | index: releases of a service by time |

Bodies are JSON in one attribute: what the code means by a value stays in the code's models.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.api import aws_call, code_of
from candlefish.adapters.table.items import change_stored, expiry, get, put_if, query, sortable
from candlefish.errors import InvalidInput, NotOnboarded
from candlefish.release.journal import PUBLISHED, STATUS, Entry, Release
from candlefish.service.record import ServiceRecord

# Timelines are kept this long, in seconds (400 days).
KEEP = 400 * 86400


class DynamoRecords:
    """`ports.Records` in DynamoDB."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _key(self, service: str) -> dict[str, Any]:
        return {"pk": {"S": f"record#{self._environment}"}, "sk": {"S": service}}

    def get(self, service: str) -> ServiceRecord:
        what = f"the record of {service} in {self._environment}"
        item = get(self._client, self._table, self._key(service), what=what)
        if item is None:
            raise NotOnboarded(
                f"{service} is not onboarded in {self._environment}; run: candlefish onboard {service} "
                f"-e {self._environment}"
            )
        return _record(item)

    def update(self, service: str, change: Callable[[ServiceRecord], ServiceRecord]) -> ServiceRecord:
        what = f"the record of {service} in {self._environment}"
        return change_stored(lambda: self.get(service), change, self._put, what)

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return record if self._put(record, None) else self.get(record.service)

    def _put(self, record: ServiceRecord, seen: int | None) -> bool:
        item = {
            **self._key(record.service),
            "revision": {"N": str(record.revision)},
            "generation": {"N": str(record.generation)},
            "blue": {"N": str(record.desired["blue"])},
            "green": {"N": str(record.desired["green"])},
            "body": {"S": msgspec.json.encode(record).decode()},
        }
        return put_if(self._client, self._table, item, seen=seen, what=f"the record of {record.name}")

    def all(self) -> list[ServiceRecord]:
        items = query(self._client, self._table, f"record#{self._environment}", consistent=True)
        return [_record(item) for item in items]


class DynamoJournal:
    """`release.journal.Journal` in DynamoDB; `publish` puts an entry's event on the bus."""

    def __init__(
        self, client: Any, table: str, environment: str, publish: Callable[[Release, Entry], None]
    ) -> None:
        self._client = client
        self._table = table
        self._environment = environment
        self._publish = publish

    def open(self, release: Release) -> None:
        item = {
            "pk": {"S": f"release#{release.id}"},
            "sk": {"S": "release"},
            "status": {"S": release.status},
            "body": {"S": msgspec.json.encode(release).decode()},
            "expires": expiry(release.started_at, KEEP),
        }
        if not put_if(self._client, self._table, item, seen=None, what=f"release {release.id}"):
            return
        with aws_call(f"listing release {release.id}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": f"releases#{release.environment}#{release.service}"},
                    "sk": {"S": f"{sortable(release.started_at)}#{release.id}"},
                    "release": {"S": release.id},
                    "expires": expiry(release.started_at, KEEP),
                },
            )

    def read(self, release: str) -> Release:
        key = {"pk": {"S": f"release#{release}"}, "sk": {"S": "release"}}
        item = get(self._client, self._table, key, what=f"release {release}")
        if item is None:
            raise InvalidInput(f"there is no release {release!r}; list them with: candlefish status")
        return _release(item)

    def append(self, release: str, entry: Entry) -> None:
        pk = {"S": f"release#{release}"}
        with aws_call(f"writing to the timeline of release {release}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": pk,
                    "sk": {"S": f"entry#{sortable(entry.at)}#{os.urandom(4).hex()}"},
                    "kind": {"S": entry.kind},
                    "body": {"S": msgspec.json.encode(entry).decode()},
                    "expires": expiry(entry.at, KEEP),
                },
            )
        if status := STATUS.get(entry.kind):
            self._follow(release, status)
        if entry.kind in PUBLISHED:
            try:
                subject = self.read(release)
            except InvalidInput:
                # Onboarded, or older than the timelines that are kept: there is nobody to tell about.
                return
            self._publish(subject, entry)

    def _follow(self, release: str, status: str) -> None:
        with aws_call(f"writing the status of release {release}"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": f"release#{release}"}, "sk": {"S": "release"}},
                    UpdateExpression="SET #status = :status",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={":status": {"S": status}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise

    def entries(self, release: str) -> list[Entry]:
        items = query(self._client, self._table, f"release#{release}", prefix="entry#")
        return [msgspec.json.decode(item["body"]["S"], type=Entry) for item in items]

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        key = f"releases#{self._environment}#{service}"
        items = query(self._client, self._table, key, newest=limit)
        return [self.read(item["release"]["S"]) for item in items]


def _record(item: dict[str, Any]) -> ServiceRecord:
    return msgspec.json.decode(item["body"]["S"], type=ServiceRecord)


def _release(item: dict[str, Any]) -> Release:
    release = msgspec.json.decode(item["body"]["S"], type=Release)
    return msgspec.structs.replace(release, status=item["status"]["S"])
