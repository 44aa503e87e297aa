"""Deploys the real template.yaml into the lab.

It is packaged as `sam package` does and given to CloudFormation, which applies SAM's transform
(`lab.moto.cloudformation`). Functions run from the source tree. What `sam deploy` uploads runs too, each function
seeing nothing but its own artefact and layers (`tools/follow_deploy.py`).
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from lab.aws.server import Aws
from lab.functions.pool import Code
from lab.templates import parse

_CODE_BUCKET = "lab-code"
_CODE_KEY = "placeholder.zip"
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
    """Create the stack and tell the runner where its functions' code is.

    Parameters
    ----------
    clients
        Gives a boto3 client by service name.
    """
    base = template.resolve().parent
    source = read_template(template)
    _upload_placeholder(clients("s3"), region)
    codes = _codes(source, base)
    _package(source, base, stack, clients("s3"))
    cloudformation = clients("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(source, default=str),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    if described["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"stack {stack} ended as {described['StackStatus']}; see the lab's log")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = {
        row["LogicalResourceId"]: row["PhysicalResourceId"]
        for page in pages
        for row in page["StackResourceSummaries"]
        if row.get("PhysicalResourceId")
    }
    for logical, code in codes.items():
        if logical in resources:
            aws.lambdas.code[resources[logical]] = code
    outputs = {row["OutputKey"]: row["OutputValue"] for row in described.get("Outputs", [])}
    return Deployed(stack, outputs, resources)


def read_template(path: Path) -> dict[str, Any]:
    """A SAM template as plain data."""
    return parse(path.read_text())


def _codes(source: dict[str, Any], base: Path) -> dict[str, Code]:
    resources = source["Resources"]
    shared = source.get("Globals", {}).get("Function", {})

    def layer(reference: Any) -> str | None:
        definition = resources.get(reference.get("Ref", "")) if isinstance(reference, dict) else None
        if definition is None:
            return None
        return str(base / definition["Properties"]["ContentUri"])

    found = {}
    for logical, definition in resources.items():
        if definition["Type"] != _FUNCTION:
            continue
        properties = definition["Properties"]
        references = [*shared.get("Layers", []), *properties.get("Layers", [])]
        layers = tuple(path for path in map(layer, references) if path is not None and Path(path).is_dir())
        directory = base / (properties.get("CodeUri") or shared.get("CodeUri") or ".")
        found[logical] = Code(str(directory), layers)
    return found


def _package(source: dict[str, Any], base: Path, stack: str, s3: Any) -> None:
    """Point at the bucket instead of the tree, as `sam package` does; of code it holds a placeholder."""
    for logical, definition in source["Resources"].items():
        properties = definition.get("Properties", {})
        if definition["Type"] == _FUNCTION:
            properties["CodeUri"] = f"s3://{_CODE_BUCKET}/{_CODE_KEY}"
        elif definition["Type"] == _LAYER:
            properties["ContentUri"] = f"s3://{_CODE_BUCKET}/{_CODE_KEY}"
        elif definition["Type"] == _MACHINE and isinstance(properties.get("DefinitionUri"), str):
            body = (base / properties["DefinitionUri"]).read_bytes()
            s3.put_object(Bucket=_CODE_BUCKET, Key=f"{stack}/{logical}", Body=body)
            properties["DefinitionUri"] = f"s3://{_CODE_BUCKET}/{stack}/{logical}"


def _upload_placeholder(s3: Any, region: str) -> None:
    """moto wants an archive for every function; the code that runs is in the tree."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as contents:
        contents.writestr("README", "The lab runs this function from the source tree.\n")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        if region == "us-east-1":
            s3.create_bucket(Bucket=_CODE_BUCKET)
        else:
            s3.create_bucket(Bucket=_CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_object(Bucket=_CODE_BUCKET, Key=_CODE_KEY, Body=archive.getvalue())
