"""Resources that exist and become a stack's: change sets of type IMPORT.

A new stack of such a change set has what is imported and nothing else; each resource needs a DeletionPolicy, must be
there, and belongs to no other stack. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.dynamodb.models import dynamodb_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from lab.moto import ACCOUNT, wrap

# Type -> what identifies one, and where it is found by region and that.
FOUND: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "AWS::DynamoDB::Table": (
        "TableName",
        lambda region, name: dynamodb_backends[ACCOUNT][region].tables.get(name),
    ),
    "AWS::S3::Bucket": ("BucketName", lambda region, name: s3_backends[ACCOUNT]["aws"].buckets.get(name)),
    "AWS::KMS::Key": ("KeyId", lambda region, name: kms_backends[ACCOUNT][region].keys.get(name)),
}


def install() -> None:
    """Take what a change set imports; moto's forget it."""
    wrap(CloudFormationResponse, "create_change_set", _create)


def _create(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(response: Any) -> Any:
        imported = response._get_param("ResourcesToImport", [])
        made = original(response)
        if imported:
            backend = response.cloudformation_backend
            change_set = backend.change_sets[made.result["Id"]]
            change_set.imported = imported
            _check(change_set)
        return made

    return create


def _check(change_set: Any) -> None:
    told = {each["LogicalResourceId"] for each in change_set.imported}
    for logical, definition in change_set.template_dict["Resources"].items():
        if logical not in told:
            raise ValidationError(
                message=f"As part of the import operation, you cannot modify or add resources: [{logical}]"
            )
        if "DeletionPolicy" not in definition:
            raise ValidationError(
                message=f"Resources to import must have a DeletionPolicy attribute: [{logical}]"
            )
    if change_set.template_dict.get("Outputs"):
        raise ValidationError(message="As part of the import operation, you cannot modify or add [Outputs]")


def adopt(stack: Any, change_set: Any) -> None:
    """Make what a change set imports the stack's own.

    Raises
    ------
    ValidationError
        It is not there, or another stack's.
    """
    for each in change_set.imported:
        logical, kind = each["LogicalResourceId"], each["ResourceType"]
        key, find = FOUND[kind]
        name = each["ResourceIdentifier"][key]
        found = find(stack.region_name, name)
        if found is None:
            raise ValidationError(
                message=f"Resource of type '{kind}' with identifier '{name}' was not found."
            )
        if owner := _owner(found):
            raise ValidationError(message=f"{name} already exists in stack {owner}")
        found.cf_resource_type, found.logical_resource_id = kind, logical
        stack.resource_map._parsed_resources[logical] = found


def _owner(resource: Any) -> str:
    for backend in cloudformation_backends[ACCOUNT].values():
        for stack in backend.stacks.values():
            if any(made is resource for made in stack.resource_map._parsed_resources.values()):
                return str(stack.name)
    return ""
