"""Our template rules: a sound template passes, and each rule finds the template that breaks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import lint_template
from tools.lint_template import RULES, findings, name_of, read
from tools.retries import POLICIES, rendered

SOUND = """
Globals:
  Function:
    Tracing: Active
    PermissionsBoundary: !Ref Boundary
    LoggingConfig: {LogFormat: JSON, LogGroup: !Ref Logs}
Conditions:
  IsHome: !Equals [!Ref Home, !Ref AWS::Region]
  AtHomeAndRich: !And [!Condition IsHome, !Equals [!Ref Rich, "yes"]]
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties:
      RetentionInDays: 30
      KmsKeyId: !GetAtt Key.Arn
  Dead:
    Type: AWS::SQS::Queue
    Properties:
      KmsMasterKeyId: !Ref Key
  DeadPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Dead]
      PolicyDocument:
        Statement:
          - {Effect: Deny, Principal: "*", Action: "sqs:*", Condition: {Bool: {aws:SecureTransport: "false"}}}
          - {Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: sqs:SendMessage}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {KmsMasterKeyId: !Ref Key}
  TopicPolicy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument:
        Statement: [{Effect: Deny, Principal: "*", Action: "sns:*", Condition: {Bool: {aws:SecureTransport: "false"}}}]
  Hears:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.cloudwatch]}
      Targets: [{Arn: !GetAtt Dead.Arn, DeadLetterConfig: {Arn: !GetAtt Dead.Arn}}]
  Rings:
    Type: AWS::CloudWatch::Alarm
    DependsOn: [DeadPolicy, WorkRungPermission]
  Listens:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn}}
  Spent:
    Type: AWS::Budgets::Budget
    Condition: AtHomeAndRich
    DependsOn: TopicPolicy
    Properties: {Budget: {BudgetName: spent}, NotificationsWithSubscribers: [{Subscribers: [{Address: !Ref Topic}]}]}
  Kept:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties:
      SSESpecification: {SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt Key.Arn}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      FunctionUrlConfig: {AuthType: AWS_IAM}
      Events:
        Rung: {Type: EventBridgeRule, Properties: {Pattern: {source: [aws.cloudwatch]}, RetryPolicy: {MaximumRetryAttempts: 1}, DeadLetterConfig: {Arn: !GetAtt Dead.Arn}}}
        Nightly:
          Type: Schedule
          Properties:
            RetryPolicy: {MaximumEventAgeInSeconds: 60}
            DeadLetterConfig: {Arn: !GetAtt Dead.Arn}
      EventInvokeConfig:
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}
      Policies:
        - Statement:
            # Describe calls know no resources.
            - {Sid: Look, Effect: Allow, Action: rds:DescribeDBInstances, Resource: "*"}
            - {Sid: Never, Effect: Deny, Action: "rds:Delete*", Resource: "*"}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.yaml
      PermissionsBoundary: !Ref Boundary
      Logging: {Destinations: [x]}
      Tracing: {Enabled: true}
      Policies:
        - Statement:
            - {Sid: Call, Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt Work.Arn}
"""
MACHINE = f"""
TimeoutSeconds: 60
States:
  Do:
    Type: Task
    TimeoutSeconds: 10
    # retry: transient
    Retry: {rendered(POLICIES["transient"])}
  Each:
    Type: Map
    ItemProcessor:
      States:
        Inner:
          Type: Task
          TimeoutSeconds: 10
"""


def lint(tmp_path: Path, template: str = SOUND, machine: str = MACHINE) -> list[str]:
    (tmp_path / "template.yaml").write_text(template)
    (tmp_path / "machine.yaml").write_text(machine)
    return findings(read(tmp_path / "template.yaml"))


def test_a_sound_template_passes(tmp_path: Path) -> None:
    assert lint(tmp_path) == []


def test_a_ping_has_no_dead_letters(tmp_path: Path) -> None:
    dead = "            DeadLetterConfig: {Arn: !GetAtt Dead.Arn}\n"
    ping = SOUND.replace(dead, "            Input: '{\"keep_warm\": true}'\n")
    assert not [each for each in lint(tmp_path, ping) if "event Nightly" in each]


def test_the_list_of_rules_is_what_is_checked() -> None:
    listed = re.findall(r"^\| ([\w-]+) \|", lint_template.__doc__ or "", re.M)
    assert listed == ["rule", *map(name_of, RULES)]


BROKEN = [
    ("no retention", "      RetentionInDays: 30\n", "", "retention: Logs"),
    ("a log group without a key", "      KmsKeyId: !GetAtt Key.Arn\n", "", "encrypted: Logs"),
    (
        "a queue without a key",
        "      KmsMasterKeyId: !Ref Key\n",
        "      QueueName: dead\n",
        "encrypted: Dead",
    ),
    (
        "an event without a dead-letter queue",
        "            DeadLetterConfig: {Arn: !GetAtt Dead.Arn}\n",
        "",
        "dead-letters: Work: event Nightly",
    ),
    (
        "an event without a retry window",
        "            RetryPolicy: {MaximumEventAgeInSeconds: 60}\n",
        "",
        "no RetryPolicy",
    ),
    (
        "an asynchronous function without a destination",
        "OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}",
        "",
        "add EventInvokeConfig",
    ),
    (
        "a queue that takes plain HTTP",
        "Effect: Deny, Principal",
        "Effect: Allow, Principal",
        "tls-only: Dead",
    ),
    ("a topic without a policy", "Type: AWS::SQS::Queue\n", "Type: AWS::SNS::Topic\n", "tls-only: Dead"),
    ("a table that goes with the stack", "    UpdateReplacePolicy: Retain\n", "", "kept: Kept"),
    (
        "a table that a failed creation leaves behind",
        "DeletionPolicy: RetainExceptOnCreate",
        "DeletionPolicy: Retain",
        "repeatable: Kept",
    ),
    (
        "a table that a failed creation cannot delete",
        "{PointInTimeRecoveryEnabled: true}\n",
        "{PointInTimeRecoveryEnabled: true}\n      DeletionProtectionEnabled: true\n",
        "repeatable: Kept: protected",
    ),
    (
        "a queue for dead letters that SNS may not send to",
        "{Service: sns.amazonaws.com}",
        "{Service: events.amazonaws.com}",
        "dead-letters: Listens: the policy of Dead",
    ),
    ("a budget before its topic's policy", "    DependsOn: TopicPolicy\n", "", "told-first: Spent"),
    (
        "an alarm before the policy of who hears of it",
        "[DeadPolicy, WorkRungPermission]",
        "WorkRungPermission",
        "told-first: Rings: Dead takes no event of it yet; DependsOn: DeadPolicy",
    ),
    (
        "an alarm before the permission of a function that hears of it",
        "[DeadPolicy, WorkRungPermission]",
        "DeadPolicy",
        "told-first: Rings: Work takes no event of it yet; DependsOn: WorkRungPermission",
    ),
    ("a budget in every region", "    Condition: AtHomeAndRich\n", "", "once: Spent"),
    ("a table without recovery", "RecoveryEnabled: true", "RecoveryEnabled: false", "kept: Kept"),
    (
        "a resource * without a reason",
        "            # Describe calls know no resources.\n",
        "",
        "no-wildcard: Work Look",
    ),
    ("an action by wildcard", "rds:DescribeDBInstances", '"rds:Describe*"', "it allows rds:Describe*"),
    ("an open function URL without a reason", "AuthType: AWS_IAM", "AuthType: NONE", "authorizer: Work"),
    (
        "a function that is not bounded",
        "    PermissionsBoundary: !Ref Boundary\n    Logging",
        "    Logging",
        "bounded: Work",
    ),
    (
        "a machine that is not bounded",
        "      PermissionsBoundary: !Ref Boundary\n      Logging",
        "      Logging",
        "bounded: Machine",
    ),
    ("a function that does not trace", "    Tracing: Active\n", "", "traced: Work"),
    ("a machine that does not log", "      Logging: {Destinations: [x]}\n", "", "retention: Machine"),
    (
        "a managed policy",
        "        - Statement:\n            # Desc",
        "        - AdministratorAccess\n        - Statement:\n            # Desc",
        "own-role: Work",
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_each_rule_finds_what_breaks_it(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in SOUND
    found = lint(tmp_path, SOUND.replace(old, new, 1))
    assert [line for line in found if words in line], found


def test_a_reason_beside_an_open_url_is_taken(tmp_path: Path) -> None:
    reasoned = SOUND.replace(
        "      FunctionUrlConfig: {AuthType: AWS_IAM}",
        "      # It checks a signature.\n      FunctionUrlConfig: {AuthType: NONE}",
    )
    assert lint(tmp_path, reasoned) == []


API = """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        paths:
          /v1/{proxy+}:
            get: {security: [{Issuer: []}], x-amazon-apigateway-integration: {$ref: "#/components/x-amazon-apigateway-integrations/Work"}}
          # Nobody's secret.
          /:
            get: {x-amazon-apigateway-integration: {$ref: "#/components/x-amazon-apigateway-integrations/Work"}}
          /assets/{proxy+}:
            get: {x-amazon-apigateway-integration: {$ref: "#/components/x-amazon-apigateway-integrations/Work"}}
        components:
          x-amazon-apigateway-integrations:
            Work: {uri: !Sub ["functions/${Live}/invocations", {Live: !Ref WorkFunction.Alias}]}
"""


def test_a_route_that_asks_for_no_token_says_why(tmp_path: Path) -> None:
    def said(api: str) -> list[str]:
        return [line for line in lint(tmp_path, SOUND + api) if "asks nobody for a token" in line]

    assert said(API) == []
    assert len(said(API.replace("          # Nobody's secret.\n", ""))) == 2
    (found,) = said(API.replace("security: [{Issuer: []}], ", ""))
    assert "GET /v1/{proxy+}" in found


def test_a_role_that_two_functions_share_is_found(tmp_path: Path) -> None:
    shared = SOUND.replace(
        "      Policies:\n        - Statement:\n            # D",
        "      Role: !Ref R\n      Policies:\n        - Statement:\n            # D",
    )
    shared = shared.replace("      Logging: {D", "      Role: !Ref R\n      Logging: {D")
    assert any("own-role: Work: it shares the role" in line for line in lint(tmp_path, shared))


IN_CLUSTER = (
    SOUND
    + """
  Sail:
    Type: AWS::Serverless::Function
    Condition: Calm
    Properties:
      Layers: [!Ref KubernetesLayer]
      VpcConfig: !If [InNetwork, {SubnetIds: !Ref FunctionSubnetIds}, !Ref AWS::NoValue]
      Policies: [{Statement: []}]
  SailAccess:
    Type: AWS::EKS::AccessEntry
    Condition: Calm
    Properties: {ClusterName: x, PrincipalArn: !GetAtt SailRole.Arn}
"""
)


def test_a_function_that_the_cluster_knows_passes(tmp_path: Path) -> None:
    assert lint(tmp_path, IN_CLUSTER) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("SailRole.Arn", "WorkRole.Arn", "cluster-access: Sail: the cluster does not know its role"),
        ("SailRole.Arn", "WorkRole.Arn", "cluster-access: SailAccess: Work does not talk to the cluster"),
        ("SailRole.Arn", "Somebody.Arn", "cluster-access: SailAccess: its principal is no function's role"),
        (
            "AccessEntry\n    Condition: Calm",
            "AccessEntry",
            "cluster-access: SailAccess: give it the condition",
        ),
        ("FunctionSubnetIds", "DatabaseSubnetIds", "in-network: Sail: it talks to what may be private"),
        ("      Layers: [!Ref KubernetesLayer]\n", "", "in-network: Sail: it needs no network of ours"),
        (
            "      Layers: [!Ref KubernetesLayer]\n      VpcConfig",
            "      Environment: {Variables: {PROMETHEUS_URL: x}}\n      Other",
            "in-network: Sail: it talks to what may be private",
        ),
    ],
)
def test_exactly_the_functions_that_talk_to_the_cluster_have_an_access_entry(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert [line for line in lint(tmp_path, IN_CLUSTER.replace(old, new)) if words in line]


MACHINES = [
    ("a machine without a timeout", "TimeoutSeconds: 60\n", "", "task-timeout: machine.yaml"),
    ("a task without a timeout", "    TimeoutSeconds: 10\n    #", "    #", "machine.yaml Do"),
    ("a task inside a Map without one", "          TimeoutSeconds: 10\n", "", "machine.yaml Each > Inner"),
    ("an error that does not exist", "Throttled", "Throtled", "retry-names: machine.yaml Do"),
]


@pytest.mark.parametrize(("old", "new", "words"), [m[1:] for m in MACHINES], ids=[m[0] for m in MACHINES])
def test_a_machine_that_could_hang_or_misspells_an_error_is_found(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert any(words in line for line in lint(tmp_path, machine=MACHINE.replace(old, new, 1)))


# A machine that calls what lives 60 s, and starts another one; a function that writes weights, one in the cluster.
TIMED = (
    SOUND.replace(
        "      DefinitionUri: machine.yaml\n",
        "      DefinitionUri: machine.yaml\n      DefinitionSubstitutions: {Work: !Ref Writer.Version, Next: !Ref MachineVersion}\n",
    )
    + """
  Writer:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: !Ref WriterTimeoutSeconds
      Layers: [!Ref KubernetesLayer]
      VpcConfig: !If [InNetwork, {SubnetIds: !Ref FunctionSubnetIds}, !Ref AWS::NoValue]
      Policies: [{Statement: [{Sid: W, Effect: Allow, Action: [elasticloadbalancing:ModifyRule], Resource: x}]}]
  WriterAccess:
    Type: AWS::EKS::AccessEntry
    Properties: {ClusterName: x, PrincipalArn: !GetAtt WriterRole.Arn, KubernetesGroups: [candlefish-release]}
Parameters:
  WriterTimeoutSeconds: {Type: Number, MaxValue: 20}
  ClusterWriterTimeoutSeconds: {Type: Number, MaxValue: 60}
"""
)
CALLS = """
TimeoutSeconds: 600
States:
  Call:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    TimeoutSeconds: 30
    Arguments: {FunctionName: "${Work}"}
    Catch: [{ErrorEquals: [States.ALL], Assign: {why: "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}"}}]
  Start:
    Type: Task
    Resource: arn:aws:states:::states:startExecution.sync:2
    TimeoutSeconds: 700
    Arguments: {StateMachineArn: "${Next}"}
"""


def test_tasks_that_outlive_what_they_call_pass(tmp_path: Path) -> None:
    assert lint(tmp_path, TIMED, CALLS) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "TimeoutSeconds: 30",
            "TimeoutSeconds: 20",
            "task-outlives: machine.yaml Call: the task ends after 20 s, Writer",
        ),
        ("TimeoutSeconds: 30", "TimeoutSeconds: 29", "give the task at least 30 s"),
        (
            "TimeoutSeconds: 700",
            "TimeoutSeconds: 600",
            "task-outlives: machine.yaml Start: the task ends after 600 s",
        ),
        (
            "$exists($states.errorOutput.Cause) ? ",
            "true ? ",
            "guarded-causes: machine.yaml Call: $states.errorOutput.Cause may be missing",
        ),
    ],
)
def test_a_task_that_ends_before_what_it_calls_is_found(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert [line for line in lint(tmp_path, TIMED, CALLS.replace(old, new, 1)) if words in line]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "Timeout: !Ref WriterTimeoutSeconds",
            "Timeout: 25",
            "writers: Writer: it may write weights for 25 s",
        ),
        (
            "Timeout: !Ref WriterTimeoutSeconds",
            "Timeout: 61",
            "writers: Writer: it may write to the cluster for 61 s",
        ),
        (", MaxValue: 20}", "}", "task-outlives: machine.yaml Call"),
    ],
)
def test_a_writer_that_lives_too_long_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert [line for line in lint(tmp_path, TIMED.replace(old, new, 1), CALLS) if words in line]


def test_a_writer_that_bounds_what_it_writes_may_live_longer(tmp_path: Path) -> None:
    told = "Timeout: 29\n      Environment: {Variables: {WRITERS_LIVE_SECONDS: !Ref WriterTimeoutSeconds}}"
    longer = CALLS.replace("TimeoutSeconds: 30", "TimeoutSeconds: 60")
    assert lint(tmp_path, TIMED.replace("Timeout: !Ref WriterTimeoutSeconds", told, 1), longer) == []
