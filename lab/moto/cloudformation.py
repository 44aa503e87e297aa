"""CloudFormation: the SAM transform happens here, as on AWS, and a stack that fails says so.

- Templates become JSON with all short forms spelled out; one with SAM's transform is translated by SAM's own
  translator first.
- Updates follow what refers to what (`lab.moto.stack_updates`).
- Executing a change set that creates a stack makes its resources in the order of their dependencies, with outputs;
  one that imports makes the stack of what is there (`lab.moto.stack_imports`).
- What cannot be made, or no longer be changed, is rolled back (`lab.moto.stack_failures`). Names that are taken are
  refused (`lab.moto.stack_names`).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing, responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from samtranslator.translator.transform import transform

from lab.moto import replace, stack_failures, stack_imports, stack_names, stack_updates, wrap
from lab.templates import parse

LOG = logging.getLogger("lab")
# It keeps numbers for its own service, and warns when nobody takes them.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
Original = Callable[..., Any]
_TRANSFORM = "AWS::Serverless-2016-10-31"


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def processed(template: str, parameters: dict[str, Any], region: str) -> str:
    """A template after its transform, as JSON. Types that the lab cannot make are told to the log."""
    source = parse(template)
    if _TRANSFORM in (source.get("Transform"), *(source.get("Transform") or ())):
        source = _translate(source, parameters, region)
        for kind in sorted(
            {each["Type"] for each in source["Resources"].values()} - parsing.get_model_map().keys()
        ):
            LOG.warning("the lab does not make %s; what depends on it will not work", kind)
    # A date that is not quoted (`Version: 2012-10-17`) is text.
    return json.dumps(source, default=str)


def _translate(source: dict[str, Any], parameters: dict[str, Any], region: str) -> dict[str, Any]:
    before = os.environ.get("AWS_DEFAULT_REGION")
    # The translator asks boto3 for the region to know the partition.
    os.environ["AWS_DEFAULT_REGION"] = region
    declared = source.get("Parameters", {})
    defaults = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
    try:
        plain: dict[str, Any] = transform(source, {**defaults, **parameters}, _NoManagedPolicies())
        return plain
    finally:
        if before is None:
            del os.environ["AWS_DEFAULT_REGION"]
        else:
            os.environ["AWS_DEFAULT_REGION"] = before


def install(endpoint: str, client_in: Callable[[str], Callable[[str], Any]]) -> None:
    """Put this in the place of moto's own handling of templates and change sets.

    `endpoint` is where the lab's S3 is: clients that are told it give template URLs there. `client_in` gives clients
    of a region, by service.
    """

    def from_s3(original: Original) -> Original:
        return lambda url, *args, **more: original(
            url.replace(endpoint, "https://s3.amazonaws.com"), *args, **more
        )

    wrap(responses, "get_stack_from_s3_url", from_s3)
    wrap(CloudFormationBackend, "create_stack", _create_stack)
    wrap(CloudFormationBackend, "create_change_set", _create_change_set)
    wrap(CloudFormationBackend, "execute_change_set", _execute_change_set)
    wrap(Stack, "create_resources", _create_resources)
    wrap(Stack, "update", _update)
    wrap(parsing.ResourceMap, "build_resource_diff", _resource_diff)
    wrap(parsing, "clean_json", _without_no_values)
    stack_updates.install()
    stack_failures.install(client_in)
    stack_imports.install()
    stack_names.install()
    replace(Stack, "parse_template", staticmethod(parse))
    replace(ChangeSet, "_parse_template", _parse_change_set)


def _create_stack(original: Original) -> Original:
    def create_stack(
        backend: Any, name: str, template: str, parameters: dict[str, Any], *args: Any, **more: Any
    ) -> Any:
        text = processed(template, parameters, backend.region_name)
        return original(backend, name, text, parameters, *args, **more)

    return create_stack


def _create_change_set(original: Original) -> Original:
    def create_change_set(
        backend: Any,
        stack_name: str,
        change_set_name: str,
        template: str,
        parameters: dict[str, str],
        *args: Any,
        **more: Any,
    ) -> Any:
        for stack in list(backend.stacks.values()):
            if stack.name == stack_name and stack.status != "REVIEW_IN_PROGRESS":
                stack_failures.refuse_dead(stack)
                if more["change_set_type"] != "UPDATE":
                    raise ValidationError(
                        message=f"Stack [{stack_name}] already exists and cannot be created again "
                        f"with the changeSet [{change_set_name}]."
                    )
        text = processed(template, parameters, backend.region_name)
        return original(backend, stack_name, change_set_name, text, parameters, *args, **more)

    return create_change_set


def _execute_change_set(original: Original) -> Original:
    def execute(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = backend.describe_change_set(change_set_name)
        # The answer comes when all is made: a client that gave up on it asks again, and what is under way goes on alone.
        if change_set.execution_status == "EXECUTE_IN_PROGRESS":
            return
        change_set.execution_status = "EXECUTE_IN_PROGRESS"
        stack = backend.stacks[change_set.stack_id]
        if change_set.change_set_type == "CREATE":
            _create(backend, stack, change_set)
        elif change_set.change_set_type == "IMPORT":
            _import(backend, stack, change_set)
        else:
            stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
            _change(stack, change_set.template, {**stack.parameters, **change_set.parameters})
        change_set.execution_status = "EXECUTE_COMPLETE"

    return execute


def _import(backend: Any, stack: Any, change_set: Any) -> None:
    _describe(backend, stack, change_set)
    stack_imports.adopt(stack, change_set)
    stack.output_map = stack._create_output_map()
    stack.status = "IMPORT_COMPLETE"
    stack._add_stack_event("IMPORT_COMPLETE")


def _change(stack: Any, template: str, parameters: dict[str, Any]) -> None:
    """Update a stack; back to the template before where that fails."""
    before, previous = stack.template, dict(stack.resource_map.input_parameters)
    stack.template, stack.parameters = template, parameters
    stack._parse_template()
    try:
        stack.resource_map.update(stack.template_dict, parameters)
    except Exception as error:
        LOG.exception("the update of stack %s failed", stack.name)
        stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", str(error))
        stack.template, stack.parameters = before, previous
        stack._parse_template()
        stack.resource_map.update(stack.template_dict, previous)
        stack.status = "UPDATE_ROLLBACK_COMPLETE"
    else:
        stack.status = "UPDATE_COMPLETE"
    stack.output_map = stack._create_output_map()
    stack._add_stack_event(stack.status)


def _create(backend: Any, stack: Any, change_set: Any) -> None:
    _describe(backend, stack, change_set)
    stack.output_map = stack._create_output_map()
    stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
    stack.create_resources()


def _describe(backend: Any, stack: Any, change_set: Any) -> None:
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack.tags = change_set.tags or {}
    stack.cross_stack_resources = backend.exports
    stack._parse_template()
    stack.resource_map = stack._create_resource_map()


def _create_resources(original: Original) -> Original:
    def create_resources(stack: Any) -> None:
        try:
            original(stack)
        except Exception as error:  # noqa: BLE001 - whatever an emulator says is the reason
            LOG.warning("stack %s failed: %s", stack.name, error)
            if isinstance(error, stack_failures.CannotMake):
                stack_failures.tell(stack, error.logical, "CREATE_FAILED", str(error.error))
            stack._add_stack_event("ROLLBACK_IN_PROGRESS", str(error))
            made = stack_failures.made_of(stack.resource_map)
            failed = stack_failures.take_back(stack, made, frozenset({"Retain"}))
            stack.status = "ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE"
            stack._add_stack_event(stack.status, "; ".join(failed) or None)
            stack.template_dict = {**stack.template_dict, "Outputs": {}}
            stack.output_map = stack._create_output_map()

    return create_resources


def _update(original: Original) -> Original:
    def update(
        stack: Any, template: str, role_arn: Any = None, parameters: Any = None, tags: Any = None
    ) -> None:
        stack_failures.refuse_dead(stack)
        text = processed(template, parameters or stack.parameters, stack.region_name)
        stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
        _change(stack, text, parameters or stack.parameters)
        stack.role_arn = role_arn
        if tags is not None:
            stack.tags = tags

    return update


def _without_no_values(original: Original) -> Original:
    """`AWS::NoValue` in a list is no entry of it; moto leaves a None."""

    def clean(value: Any, resources: Any) -> Any:
        found = original(value, resources)
        return [each for each in found if each is not None] if isinstance(found, list) else found

    return clean


def _resource_diff(original: Original) -> Original:
    def difference(resources: Any, template: dict[str, Any], parameters: Any = None) -> dict[str, list[str]]:
        found = original(resources, template, parameters)
        # What its condition left out is not there to be modified or removed.
        there = {name for name in found["Modify"] + found["Remove"] if resources.get(name) is not None}
        return {
            action: names if action == "Add" else [name for name in names if name in there]
            for action, names in found.items()
        }

    return difference


def _parse_change_set(change_set: Any) -> None:
    change_set.template_dict = parse(change_set.template)
