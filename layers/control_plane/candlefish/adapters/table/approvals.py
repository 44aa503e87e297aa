"""A release's open or last question, beside its timeline in the control plane's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import expiry, get, packed, read_body, write_if
from candlefish.adapters.table.journal import KEEP
from candlefish.errors import InvalidInput
from candlefish.release.model import Approval


class DynamoApprovals:
    """`release.ports.Approvals` in DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def _key(self, release: str) -> dict[str, Any]:
        return keys.APPROVAL.key(release=release)

    def ask(self, approval: Approval) -> bool:
        self._keep_token(approval)
        return write_if(
            f"storing the question of release {approval.release}",
            self._client.put_item,
            TableName=self._table,
            Item=self._item(approval),
            # One that older code asked has no attribute for its id.
            ConditionExpression="attribute_not_exists(question) OR question <> :question",
            ExpressionAttributeValues={":question": {"S": approval.question}},
        )

    def _keep_token(self, approval: Approval) -> None:
        item = {
            **keys.TASK.key(release=approval.release, question=approval.question),
            "token": {"S": approval.token},
            "expires": expiry(approval.expires_at, KEEP),
        }
        with aws_call(f"storing the token of the task that waits for release {approval.release}"):
            self._client.put_item(TableName=self._table, Item=item)

    def token(self, asked: Approval) -> str:
        key = keys.TASK.key(release=asked.release, question=asked.question)
        what = f"the token of the task that waits for release {asked.release}"
        item = get(self._client, self._table, key, what=what)
        if item is None:
            raise InvalidInput(
                f"release {asked.release!r} waits for no answer; see: candlefish status {asked.release}"
            )
        return str(item["token"]["S"])

    def _item(self, approval: Approval, over: dict[str, Any] | None = None) -> dict[str, Any]:
        return {
            **self._key(approval.release),
            "question": {"S": approval.question},
            "status": {"S": approval.status},
            "approvers": _approvers(approval),
            **packed(keys.APPROVAL, msgspec.structs.replace(approval, token=""), over),
            "expires": expiry(approval.expires_at, KEEP),
        }

    def read(self, release: str) -> Approval:
        item = get(self._client, self._table, self._key(release), what=f"the question of release {release}")
        if item is None:
            raise InvalidInput(f"release {release!r} waits for no approval; see: candlefish status {release}")
        return approval_of(item, release)

    def answer(self, seen: Approval, after: Approval) -> bool:
        what = f"the question of release {seen.release}"
        if seen.token:
            # Older code asked, and kept it in the question.
            self._keep_token(seen)
        over = get(self._client, self._table, self._key(seen.release), what=what)
        return write_if(
            f"answering {what}",
            self._client.put_item,
            TableName=self._table,
            Item=self._item(after, over),
            # A question that older code asked has no attribute for its id, or for who said yes.
            ConditionExpression="(question = :question OR attribute_not_exists(question)) "
            "AND #status = :pending "
            "AND (approvers = :approvers OR attribute_not_exists(approvers))",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":question": {"S": seen.question},
                ":pending": {"S": "pending"},
                ":approvers": _approvers(seen),
            },
        )


def approval_of(item: Mapping[str, Any], release: str) -> Approval:
    """The question that an item of the table is."""
    return read_body(keys.APPROVAL, item, Approval, what=f"the question of release {release}")


def _approvers(approval: Approval) -> dict[str, str]:
    """Who said yes so far, as the attribute that a further answer is conditional on."""
    return {"S": " ".join(approval.approvers)}
