"""Deploys the real template.yaml into the lab.

It is packaged as `sam package` does and given to CloudFormation, which applies SAM's transform
(`lab.moto.cloudformation`). Functions run from the source tree. What `sam deploy` uploads runs too, each function
seeing nothing but its own artefact and layers (`tools/follow_deploy.py`). Deploying again updates the stack: what a
published version was made of stays, and so an update from another tree leaves running executions with their code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from lab.aws.server import Aws
from lab.moto.lambdas import source
from lab.templates import read_template

_CODE_BUCKET = "lab-code"
_FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"
_MACHINE = "AWS::Serverless::StateMachine"


class Deployed(msgspec.Struct, frozen=True):
    """A stack: its outputs, and the physical ids of its resources by logical id."""

    name: str
    outputs: dict[str, str]
    resources: dict[str, str]


def deploy(
    aws: Aws, clients: Any, template: Path, stack: str, parameters: dict[str, str], region: str
) -> Deployed:
    """Create the stack, or update it to what the template and the code beside it are now.

    Parameters
    ----------
    clients
        Gives a boto3 client by service name.
    """
    base = template.resolve().parent
    wanted = read_template(template)
    _package(wanted, base, stack, clients("s3"), region)
    cloudformation = clients("cloudformation")
    known = [each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]]
    change = cloudformation.update_stack if stack in known else cloudformation.create_stack
    change(
        StackName=stack,
        TemplateBody=json.dumps(wanted, default=str),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    if described["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise RuntimeError(f"stack {stack} ended as {described['StackStatus']}; see the lab's log")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = {
        row["LogicalResourceId"]: row["PhysicalResourceId"]
        for page in pages
        for row in page["StackResourceSummaries"]
        if row.get("PhysicalResourceId")
    }
    outputs = {row["OutputKey"]: row["OutputValue"] for row in described.get("Outputs", [])}
    return Deployed(stack, outputs, resources)


def _package(template: dict[str, Any], base: Path, stack: str, s3: Any, region: str) -> None:
    """Point at the bucket instead of the tree, as `sam package` does; archives there name the tree's directories."""
    _make_bucket(s3, region)
    shared = template.get("Globals", {}).get("Function", {})
    for logical, definition in template["Resources"].items():
        properties = definition.get("Properties", {})
        if definition["Type"] == _FUNCTION:
            where = base / (properties.get("CodeUri") or shared.get("CodeUri") or ".")
            properties["CodeUri"] = _stand_in(where, s3)
        elif definition["Type"] == _LAYER:
            properties["ContentUri"] = _stand_in(base / properties["ContentUri"], s3)
        elif definition["Type"] == _MACHINE and isinstance(properties.get("DefinitionUri"), str):
            body = (base / properties["DefinitionUri"]).read_bytes()
            key = f"{stack}/{logical}-{hashlib.sha256(body).hexdigest()[:16]}"
            s3.put_object(Bucket=_CODE_BUCKET, Key=key, Body=body)
            properties["DefinitionUri"] = f"s3://{_CODE_BUCKET}/{key}"


def _stand_in(directory: Path, s3: Any) -> str:
    """Where an archive is that stands for a directory; another one when the directory holds something else."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes())
    archive = source(directory, digest.hexdigest())
    key = f"{hashlib.sha256(archive).hexdigest()}.zip"
    s3.put_object(Bucket=_CODE_BUCKET, Key=key, Body=archive)
    return f"s3://{_CODE_BUCKET}/{key}"


def _make_bucket(s3: Any, region: str) -> None:
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        if region == "us-east-1":
            s3.create_bucket(Bucket=_CODE_BUCKET)
        else:
            s3.create_bucket(Bucket=_CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
