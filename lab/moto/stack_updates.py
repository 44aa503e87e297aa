"""How CloudFormation updates a stack: in the order of what depends on what, and whatever a change reaches.

moto compares the texts of the templates. A machine whose definition names a new version of a function has a new
revision, its version is published anew, and so is what starts that version: none of their texts changed. So every
resource is compared with all references resolved, as it was and as it is to be; what left the template goes last, but
for what its DeletionPolicy retains.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

from moto.cloudformation.parsing import (
    ResourceMap,
    clean_json,
    parse_and_update_resource,
)

from lab.moto import replace


def install() -> None:
    """Put this in the place of moto's own updates."""
    replace(ResourceMap, "update", _update)


def _update(resources: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    there = {
        name for name in resources._resource_json_map if resources._parsed_resources.get(name) is not None
    }
    before = {name: _resolved(resources, resources._resource_json_map[name]) for name in there}
    left = {name: resources._resource_json_map[name] for name in there if name not in template["Resources"]}
    resources._template = template
    if parameters:
        resources.input_parameters = parameters
    resources.load_mapping()
    resources.load_parameters()
    resources.load_conditions()
    resources._resource_json_map = template["Resources"]
    for name in in_order(template["Resources"]):
        if name not in there:
            # Made when it is asked for; what its condition leaves out is not.
            resources._parsed_resources.pop(name, None)
            resources[name]
        elif _resolved(resources, template["Resources"][name]) != before[name]:
            _change(resources, name)
    for name, gone in left.items():
        made = resources._parsed_resources.pop(name)
        if gone.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
            resources._delete_resource(made, gone)


def _resolved(resources: Any, resource: dict[str, Any]) -> Any:
    return clean_json(copy.deepcopy(resource.get("Properties", {})), resources)


def _change(resources: Any, name: str) -> None:
    account, region = resources._account_id, resources._region_name
    wanted = copy.deepcopy(resources._resource_json_map[name])
    changed = parse_and_update_resource(name, wanted, resources, account_id=account, region_name=region)
    if changed is not None:
        resources._parsed_resources[name] = changed


def in_order(definitions: dict[str, Any]) -> list[str]:
    """The logical names of a template's resources, each after what it refers to or depends on.

    Where that leaves a choice, the last of the template comes first: CloudFormation promises no order either.
    """
    graph = {
        name: set(_names(definitions[name])) & definitions.keys() - {name} for name in reversed(definitions)
    }
    return list(TopologicalSorter(graph).static_order())


def _names(value: Any) -> Iterator[str]:
    """What a resource refers to, by whatever form."""
    if isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(value, dict):
        for form, about in value.items():
            if form == "Ref":
                yield str(about)
            elif form == "DependsOn":
                yield from [about] if isinstance(about, str) else about
            elif form == "Fn::GetAtt":
                yield about[0] if isinstance(about, list) else about.partition(".")[0]
            elif form == "Fn::Sub":
                text = about if isinstance(about, str) else about[0]
                yield from re.findall(r"\$\{(\w+)", text)
                yield from _names(about)
            else:
                yield from _names(about)
