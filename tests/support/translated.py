"""template.yaml as CloudFormation gets it: after SAM's transform."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lab.moto.cloudformation import processed
from lab.templates import parse
from tools.layers import ROOT

PARAMETERS = {
    "Environment": "staging",
    "Production": "no",
    "ClusterName": "candlefish",
    "ListenerArns": "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/candlefish/1/2",
    "VpcId": "vpc-1",
}
CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
Resources = dict[str, Any]


def deployed(change: Callable[[Resources], None] = lambda resources: None) -> Resources:
    """The stack's resources after SAM's transform, with code in a bucket as `sam package` puts it there."""
    template = parse((ROOT / "template.yaml").read_text())
    for logical, definition in template["Resources"].items():
        if key := CODE.get(definition["Type"]):
            definition["Properties"][key] = f"s3://code/{logical}"
    change(template["Resources"])
    found: Resources = json.loads(processed(json.dumps(template), PARAMETERS, "us-west-2"))["Resources"]
    return found
