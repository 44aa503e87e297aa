"""Makes a stack of what a deleted one kept: its table, its bundles, and the key that the table is encrypted with.

    python -m tools.take_over production

CloudFormation makes nothing whose name is taken. What is kept is imported into a new stack, with all that it holds
(a change set of type IMPORT, from these resources of template.yaml alone); `make deploy` then adds the rest.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
import msgspec
from botocore.exceptions import ClientError

from lab.templates import read_template
from tools.layers import ROOT
from tools.policies import parameters
from tools.samconfig import section

TABLE, BUCKET, KEY = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"
# What identifies one of each.
IDENTIFIERS = {TABLE: "TableName", BUCKET: "BucketName", KEY: "KeyId"}
CHANGE_SET = "take-over"


class Kept(msgspec.Struct, frozen=True):
    """What there is: identifiers by type."""

    by_type: dict[str, str]


def plan(template: dict[str, Any], kept: Kept) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The template of what is imported, and what CloudFormation is told of each (pure)."""
    resources = {
        logical: definition
        for logical, definition in template["Resources"].items()
        if definition.get("DeletionPolicy") == "RetainExceptOnCreate" and definition["Type"] in kept.by_type
    }
    imported = [
        {
            "LogicalResourceId": logical,
            "ResourceType": definition["Type"],
            "ResourceIdentifier": {IDENTIFIERS[definition["Type"]]: kept.by_type[definition["Type"]]},
        }
        for logical, definition in resources.items()
    ]
    declared = {"Environment": template["Parameters"]["Environment"]}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": declared,
        "Resources": resources,
    }, imported


def find(session: boto3.Session, environment: str) -> Kept:
    """What of an environment is there in a region."""
    found = {}
    table = f"candlefish-{environment}"
    try:
        told = session.client("dynamodb").describe_table(TableName=table)["Table"]
        found[TABLE] = table
        if key := told.get("SSEDescription", {}).get("KMSMasterKeyArn"):
            found[KEY] = key.rsplit("/", 1)[1]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    account = session.client("sts").get_caller_identity()["Account"]
    bucket = f"{table}-{account}-{session.region_name}"
    try:
        session.client("s3").head_bucket(Bucket=bucket)
        found[BUCKET] = bucket
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
    return Kept(found)


def take_over(
    stack: str, environment: str, template: dict[str, Any], kept: Kept, cloudformation: Any
) -> None:
    """Make the stack; returns when it stands."""
    imports, imported = plan(template, kept)
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=CHANGE_SET,
        ChangeSetType="IMPORT",
        ResourcesToImport=imported,
        TemplateBody=json.dumps(imports, default=str),
        Parameters=[{"ParameterKey": "Environment", "ParameterValue": environment}],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(StackName=stack, ChangeSetName=CHANGE_SET)
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=CHANGE_SET)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=stack)


def main(name: str) -> int:
    """0 when the stack stands."""
    deploy = section(name)
    if not deploy:
        print(f"samconfig.toml has no section for {name!r}: make take-over ENV=production")
        return 2
    environment, stack = parameters(deploy)["Environment"], deploy["stack_name"]
    session = boto3.Session(region_name=deploy["region"])
    kept = find(session, environment)
    if not kept.by_type:
        print(f"{name}: nothing of an earlier stack is there; make deploy ENV={name}")
        return 1
    take_over(
        stack, environment, read_template(ROOT / "template.yaml"), kept, session.client("cloudformation")
    )
    names = ", ".join(sorted(kept.by_type.values()))
    print(
        f"{name}: the stack {stack} has {names} again, with all that they hold; make deploy ENV={name} adds the rest"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
