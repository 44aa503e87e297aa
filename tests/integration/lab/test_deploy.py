"""Stacks: what moto's CloudFormation leaves out is made all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.aws import Aws
from lab.deploy import deploy
from tests.integration.lab.conftest import REGION, Account

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Environment: {Type: String}
  Limit: {Type: Number, Default: 5}
Globals:
  Function:
    Runtime: python3.13
    Handler: app.handler
    Timeout: 10
    Layers: [!Ref Shared]
    Environment: {Variables: {BUS: !Ref Bus, ENVIRONMENT: !Ref Environment}}
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer/}
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: !Sub "bus-${Environment}"}
  Letters:
    Type: AWS::SQS::Queue
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: worker/
      FunctionUrlConfig: {AuthType: NONE}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Letters.Arn}}
      Events:
        Nightly:
          Type: ScheduleV2
          Properties: {ScheduleExpression: "cron(0 3 * * ? *)", ScheduleExpressionTimezone: UTC}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub "machine-${Environment}"
      DefinitionUri: machine.asl.yaml
      DefinitionSubstitutions: {Worker: !GetAtt Worker.Arn}
      Policies: [{Statement: [{Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt Worker.Arn}]}]
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub "alarm-${Environment}"
      Namespace: N
      MetricName: M
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: !Ref Limit
      ComparisonOperator: GreaterThanThreshold
Outputs:
  Url: {Value: !GetAtt WorkerUrl.FunctionUrl}
  MachineArn: {Value: !Ref Machine}
  BusName: {Value: !Ref Bus}
"""
MACHINE = """
QueryLanguage: JSONata
StartAt: Work
States:
  Work:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    TimeoutSeconds: 10
    Arguments: {FunctionName: "${Worker}", Payload: {x: 1}}
    Output: "{% $states.result.Payload %}"
    End: true
"""
WORKER = """
import os, shared
def handler(event, context):
    return {"layer": shared.NAME, "bus": os.environ["BUS"], "environment": os.environ["ENVIRONMENT"]}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "template.yaml": TEMPLATE,
        "machine.asl.yaml": MACHINE,
        "worker/app.py": WORKER,
        "layer/shared.py": 'NAME = "the layer"',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_template_runs_from_its_source_tree(aws: Aws, account: Account, tree: Path) -> None:
    stack = deploy(aws, account.client, tree / "template.yaml", "tiny", {"Environment": "test"}, REGION)
    assert stack.left_out == ()
    assert stack.outputs["BusName"] == "bus-test"
    assert stack.outputs["Url"].startswith("http://127.0.0.1:")
    output = account.run(stack.outputs["MachineArn"])["output"]
    assert output == '{"layer": "the layer", "bus": "bus-test", "environment": "test"}'
    (alarm,) = account.client("cloudwatch").describe_alarms(AlarmNames=["alarm-test"])["MetricAlarms"]
    assert alarm["Threshold"] == 5
    (schedule,) = account.client("scheduler").list_schedules()["Schedules"][-1:]
    assert schedule["Target"]["Arn"].endswith(stack.resources["Worker"])
    config = account.client("lambda").get_function_event_invoke_config(FunctionName=stack.resources["Worker"])
    assert config["MaximumRetryAttempts"] == 0
