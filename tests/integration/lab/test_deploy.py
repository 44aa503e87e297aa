"""Stacks: what moto's CloudFormation leaves out is made all the same."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
from moto.eks.models import eks_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from lab.aws.account import ClusterIdentities
from lab.aws.deploy import Deployed, deploy
from lab.aws.server import Aws
from lab.kube import User
from lab.moto import ACCOUNT
from lab.moto.eks_access import ADMIN_POLICY
from tests.support.lab_account import REGION, Account
from tests.support.waiting import eventually

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
    assert stack.outputs["BusName"] == "bus-test"
    assert stack.outputs["Url"].startswith("http://127.0.0.1:")
    output = account.run(stack.outputs["MachineArn"])["output"]
    assert output == '{"layer": "the layer", "bus": "bus-test", "environment": "test"}'
    (alarm,) = account.client("cloudwatch").describe_alarms(AlarmNames=["alarm-test"])["MetricAlarms"]
    assert alarm["Threshold"] == 5
    # Other tests have schedules in this account as well.
    targets = [each["Target"]["Arn"] for each in account.client("scheduler").list_schedules()["Schedules"]]
    assert sum(target.endswith(stack.resources["Worker"]) for target in targets) == 1
    config = account.client("lambda").get_function_event_invoke_config(FunctionName=stack.resources["Worker"])
    assert config["MaximumRetryAttempts"] == 0


def archive(files: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as contents:
        for name, text in files.items():
            contents.writestr(name, text)
    return data.getvalue()


UPLOADED = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Bucket: {Type: String}}
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {LayerName: shared-things, ContentUri: {Bucket: !Ref Bucket, Key: layer.zip}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      CodeUri: {Bucket: !Ref Bucket, Key: code.zip}
      Layers: [!Ref Shared]
      Environment: {Variables: {WORD: /opt/word.txt, ELSEWHERE: /opt/none}}
Outputs:
  Name: {Value: !Ref Worker}
"""
UPLOADED_CODE = """
import os, shared
def handler(event, context):
    try:
        import msgspec
    except ImportError:
        return [shared.NAME, open(os.environ["WORD"]).read(), os.environ["ELSEWHERE"]]
"""


def test_a_change_set_makes_a_stack_whose_functions_see_what_was_uploaded_alone(
    aws: Aws, account: Account
) -> None:
    s3, stacks, told = account.client("s3"), account.client("cloudformation"), []
    s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="uploads", Key="code.zip", Body=archive({"app.py": UPLOADED_CODE}))
    layer = archive({"python/shared.py": 'NAME = "layer"', "word.txt": "word"})
    s3.put_object(Bucket="uploads", Key="layer.zip", Body=layer)
    aws.lambdas.adapt = lambda name, directory: told.append((name, (directory / "word.txt").exists()))
    made = stacks.create_change_set(
        StackName="uploaded",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=UPLOADED,
        Parameters=[{"ParameterKey": "Bucket", "ParameterValue": "uploads"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    stacks.execute_change_set(ChangeSetName=made["Id"])
    (stack,) = stacks.describe_stacks(StackName="uploaded")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    name = stack["Outputs"][0]["OutputValue"]
    for _ in range(2):
        answer = account.client("lambda").invoke(FunctionName=name)
        assert json.loads(answer["Payload"].read()) == ["layer", "word", "/opt/none"]
    assert told == [("shared-things", True)]


CLUSTERED = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {RoleName: pilot, AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}}
  Access:
    Type: AWS::EKS::AccessEntry
    Properties: {ClusterName: ships, PrincipalArn: !GetAtt Role.Arn, KubernetesGroups: [pilots]}
Outputs:
  Entry: {Value: !GetAtt Access.AccessEntryArn}
"""


def test_a_cluster_knows_who_has_an_access_entry_and_a_stack_that_fails_says_why(
    aws: Aws, account: Account
) -> None:
    eks, stacks = account.client("eks"), account.client("cloudformation")
    eks.create_cluster(name="ships", roleArn=account.role, resourcesVpcConfig={})
    stacks.create_stack(StackName="too-early", TemplateBody=CLUSTERED)
    (failed,) = stacks.describe_stacks(StackName="too-early")["Stacks"]
    assert failed["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [
        e.get("ResourceStatusReason", "")
        for e in stacks.describe_stack_events(StackName="too-early")["StackEvents"]
    ]
    assert any("authentication mode must be set to one of" in reason for reason in reasons)

    cluster = eks_backends[ACCOUNT][REGION].clusters["ships"]
    cluster.access_config = {"authenticationMode": "API"}  # type: ignore[attr-defined]
    text = CLUSTERED.replace("RoleName: pilot", "RoleName: captain")
    stacks.create_stack(StackName="in-time", TemplateBody=text)
    principal = f"arn:aws:iam::{ACCOUNT}:role/captain"
    assert eks.list_access_entries(clusterName="ships")["accessEntries"] == [principal]
    entry = eks.describe_access_entry(clusterName="ships", principalArn=principal)["accessEntry"]
    assert entry["kubernetesGroups"] == ["pilots"]
    (stack,) = stacks.describe_stacks(StackName="in-time")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == entry["accessEntryArn"]
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_access_entry(clusterName="ships", principalArn=principal)

    known = ClusterIdentities(aws, "ships", REGION)
    sts = account.client("sts")
    key = sts.assume_role(RoleArn=principal, RoleSessionName="ahab")["Credentials"]["AccessKeyId"]
    assert known[key].user == User(f"arn:aws:sts::{ACCOUNT}:assumed-role/captain/ahab", ("pilots",))
    stranger = sts.assume_role(RoleArn=account.role, RoleSessionName="stranger")["Credentials"]["AccessKeyId"]
    assert known.get(stranger) is None
    eks.associate_access_policy(
        clusterName="ships", principalArn=principal, policyArn=ADMIN_POLICY, accessScope={"type": "cluster"}
    )
    assert "system:masters" in known[key].user.groups
    eks.delete_access_entry(clusterName="ships", principalArn=principal)
    assert known.get(key) is None


CONDITIONAL = """
Parameters: {Rich: {Type: String}}
Conditions: {IsRich: !Equals [!Ref Rich, "yes"]}
Resources:
  Gold: {Type: AWS::SQS::Queue, Condition: IsRich, Properties: {QueueName: gold, VisibilityTimeout: DELAY}}
  Copper: {Type: AWS::SQS::Queue, Properties: {QueueName: copper, VisibilityTimeout: DELAY}}
Outputs:
  Told: {Value: TOLD}
"""


def test_an_update_leaves_alone_what_a_condition_left_out(account: Account) -> None:
    stacks, sqs = account.client("cloudformation"), account.client("sqs")
    for kind, delay in (("CREATE", "1"), ("UPDATE", "2")):
        made = stacks.create_change_set(
            StackName="conditional",
            ChangeSetName=f"to-{delay}",
            ChangeSetType=kind,
            TemplateBody=CONDITIONAL.replace("DELAY", delay).replace("TOLD", f"told-{delay}"),
            Parameters=[{"ParameterKey": "Rich", "ParameterValue": "no"}],
        )
        stacks.execute_change_set(ChangeSetName=made["Id"])
        (stack,) = stacks.describe_stacks(StackName="conditional")["Stacks"]
        assert (stack["StackStatus"], stack["Outputs"][0]["OutputValue"]) == (
            f"{kind}_COMPLETE",
            f"told-{delay}",
        )
        (queue,) = sqs.list_queues(QueueNamePrefix="copper")["QueueUrls"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])[
            "Attributes"
        ]
        assert attributes["VisibilityTimeout"] == delay
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="gold")


PUBLISHED = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.13
    Handler: app.handler
    Timeout: 10
    AutoPublishAlias: live
    AutoPublishAliasAllProperties: true
    Layers: [!Ref Shared]
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer/, PublishLambdaVersion: true, RetentionPolicy: Delete}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: worker/
      FunctionUrlConfig: {AuthType: NONE}
      # Lambda polls a queue as the function.
      Policies: [{SQSPollerPolicy: {QueueName: !GetAtt Queue.QueueName}}]
  Inner:
    Type: AWS::Serverless::StateMachine
    Properties:
      AutoPublishAlias: live
      Name: published-inner
      DefinitionUri: inner.asl.yaml
      DefinitionSubstitutions: {Worker: !Ref Worker.Version}
      Policies: [{Statement: [{Effect: Allow, Action: lambda:InvokeFunction, Resource: !Sub "${Worker.Arn}:*"}]}]
  Outer:
    Type: AWS::Serverless::StateMachine
    Properties:
      AutoPublishAlias: live
      Name: published-outer
      DefinitionUri: outer.asl.yaml
      DefinitionSubstitutions: {Worker: !Ref Worker.Version, Inner: !Ref InnerVersion}
      Policies:
        - Statement:
            - {Effect: Allow, Action: lambda:InvokeFunction, Resource: !Sub "${Worker.Arn}:*"}
            - {Effect: Allow, Action: states:StartExecution, Resource: !Ref Inner}
            - Effect: Allow
              Action: [states:DescribeExecution, states:StopExecution]
              Resource: !Sub "arn:aws:states:${AWS::Region}:${AWS::AccountId}:execution:published-inner:*"
            - Effect: Allow
              Action: [events:PutTargets, events:PutRule, events:DescribeRule]
              Resource: !Sub "arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
  Queue:
    Type: AWS::SQS::Queue
  FromQueue:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Worker.Alias, EventSourceArn: !GetAtt Queue.Arn, BatchSize: 1}
Outputs:
  Url: {Value: !GetAtt WorkerUrl.FunctionUrl}
  Queue: {Value: !Ref Queue}
"""
SAYS = """
import os, pathlib, shared
def handler(event, context):
    said = [shared.NAME, "CODE", context.function_version]
    if "Records" in event:
        pathlib.Path(event["Records"][0]["body"]).write_text(" ".join(said))
    return said
"""
INNER = """
QueryLanguage: JSONata
StartAt: Say
TimeoutSeconds: 60
States:
  Say:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    TimeoutSeconds: 10
    Arguments: {FunctionName: "${Worker}", Payload: {}}
    Output: "{% $states.result.Payload %}"
    End: true
"""
OUTER = """
QueryLanguage: JSONata
StartAt: First
TimeoutSeconds: 600
States:
  First:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke.waitForTaskToken
    TimeoutSeconds: 300
    Arguments: {FunctionName: "${Worker}", Payload: {token: "{% $states.context.Task.Token %}"}}
    Next: Then
  Then:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    TimeoutSeconds: 10
    Arguments: {FunctionName: "${Worker}", Payload: {}}
    Assign: {own: "{% $states.result.Payload %}"}
    Next: Child
  Child:
    Type: Task
    Resource: arn:aws:states:::states:startExecution.sync:2
    TimeoutSeconds: 60
    Arguments:
      StateMachineArn: "${Inner}"
      Name: "{% $states.context.Execution.Name %}"
      Input: {}
    Output: "{% {'own': $own, 'child': $states.result.Output} %}"
    End: true
"""


def test_a_running_execution_keeps_the_code_that_it_began_with(
    aws: Aws, account: Account, tmp_path: Path
) -> None:
    sfn = account.client("stepfunctions")

    def update(layer: str, code: str) -> Deployed:
        """Deploy from a tree of its own, as another checkout is."""
        tree = tmp_path / f"{layer}-{code}"
        for name, text in {
            "template.yaml": PUBLISHED,
            "inner.asl.yaml": INNER,
            "outer.asl.yaml": OUTER,
            "worker/app.py": SAYS.replace("CODE", code),
            "layer/shared.py": f"NAME = {layer!r}",
        }.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return deploy(aws, account.client, tree / "template.yaml", "published", {}, REGION)

    def begin(name: str) -> str:
        """Start the outer machine as people do, by its own ARN."""
        execution = sfn.start_execution(stateMachineArn=stack.resources["Outer"], name=name)["executionArn"]
        assert execution.endswith(f":execution:published-outer:{name}")
        return str(execution)

    def finish(execution: str) -> Any:
        """Let it go on from where it waits, to its end."""
        (run,) = (
            each for machine in _machines() for each in machine.executions if each.exec_arn == execution
        )
        eventually(lambda: run.exec_worker.env and list(run.exec_worker.env.callback_pool_manager._pool))
        (token,) = run.exec_worker.env.callback_pool_manager._pool
        sfn.send_task_success(taskToken=token, output="{}")

        def ended() -> Any:
            found = sfn.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return json.loads(eventually(ended)["output"])

    def answered() -> Any:
        with urllib.request.urlopen(stack.outputs["Url"]) as answer:
            return json.loads(answer.read())

    def _machines() -> Any:
        return stepfunctions_parser_backends[ACCOUNT][REGION].state_machines

    stack = update("old", "first")
    url = stack.outputs["Url"]
    assert answered() == ["old", "first", "1"]
    before = begin("before")

    # Nothing but the layer is another: new versions all the same.
    stack = update("new", "first")
    between = begin("between")
    assert answered() == ["new", "first", "2"]
    # And another function beside the same layer; then back to where it began.
    stack = update("new", "second")
    after = begin("after")
    stack = update("old", "first")
    again = begin("again")
    assert answered() == ["old", "first", "4"]
    assert stack.outputs["Url"] == url

    said = {
        "before": ["old", "first", "1"],
        "between": ["new", "first", "2"],
        "after": ["new", "second", "3"],
    }
    for execution, words in ((before, said["before"]), (between, said["between"]), (after, said["after"])):
        assert finish(execution) == {"own": words, "child": words}
    assert finish(again) == {"own": ["old", "first", "4"], "child": ["old", "first", "4"]}

    # A name is used once, whatever version of the machine it was started with; its ARN names none.
    child = sfn.describe_execution(executionArn=before.replace("published-outer", "published-inner"))
    assert child["stateMachineArn"].endswith(":stateMachine:published-inner")
    assert child["stateMachineVersionArn"].endswith(":stateMachine:published-inner:1")
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=stack.resources["Inner"], name="before", input='{"other": 1}')

    note = tmp_path / "note"
    account.client("sqs").send_message(QueueUrl=stack.outputs["Queue"], MessageBody=str(note))
    eventually(lambda: note.exists() and note.read_text() == "old first 4")
