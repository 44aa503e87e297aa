"""IAM refuses calls as they are made: functions', machines', services' and people's, in each service's own words."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab.github import GitHub
from lab.moto import ACCOUNT
from lab.moto.iam import keys_of
from tests.support.lab_account import REGION, Account
from tests.support.waiting import eventually

pytestmark = pytest.mark.loopback

CALLS = """
import boto3, json
def handler(event, context):
    client = boto3.client(event["service"])
    try:
        getattr(client, event["call"])(**event["with"])
        return "done"
    except Exception as error:
        return error.response["Error"]["Code"] + ": " + error.response["Error"]["Message"]
"""


def document(*statements: dict[str, Any]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements],
        }
    )


def role(account: Account, *statements: dict[str, Any], boundary: str = "") -> str:
    iam, name = account.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    more = {"PermissionsBoundary": boundary} if boundary else {}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return str(made)


def as_role(arn: str) -> boto3.session.Session:
    key, secret, token = keys_of(arn, "somebody", REGION)
    return boto3.session.Session(key, secret, token, region_name=REGION)


def client(account: Account, arn: str, service: str) -> Any:
    return as_role(arn).client(service, endpoint_url=account.aws.endpoint)


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_each_service_refuses_in_its_own_words(account: Account) -> None:
    nobody = role(account)
    for service, call, arguments, code in (
        ("dynamodb", "get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}}, "AccessDeniedException"),
        ("stepfunctions", "list_tags_for_resource", {"resourceArn": "arn:aws:states:us-west-2:1:stateMachine:x"}, "AccessDeniedException"),
        ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException"),
        ("events", "put_events", {"Entries": [{"Source": "a"}]}, "AccessDeniedException"),
        ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException"),
        ("eks", "describe_cluster", {"name": "c"}, "AccessDeniedException"),
        ("sqs", "send_message", {"QueueUrl": "http://x/1/q", "MessageBody": "m"}, "AccessDenied"),
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-west-2:1:t", "Message": "m"}, "AuthorizationError"),
        ("elbv2", "describe_rules", {"ListenerArn": "arn:aws:elasticloadbalancing:us-west-2:1:listener/app/a/b/c"}, "AccessDenied"),
        ("rds", "describe_db_instances", {}, "AccessDenied"),
        ("cloudwatch", "describe_alarms", {}, "AccessDenied"),
        ("route53", "list_resource_record_sets", {"HostedZoneId": "Z"}, "AccessDenied"),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "AccessDenied"),
        ("ec2", "describe_network_interfaces", {}, "UnauthorizedOperation"),
    ):  # fmt: skip
        said = refused(getattr(client(account, nobody, service), call), **arguments)
        assert said[0] == code, (service, said)
        assert "is not authorized to perform: " in said[1] and "no identity-based policy allows" in said[1], (
            service
        )
    assert client(account, nobody, "sts").get_caller_identity()["Arn"].endswith("/somebody")


def test_a_function_acts_as_its_role_and_within_its_boundary(account: Account) -> None:
    table = f"t-{uuid.uuid4().hex[:8]}"
    account.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    event = {
        "service": "dynamodb",
        "call": "get_item",
        "with": {"TableName": table, "Key": {"pk": {"S": "a#1"}}},
    }
    bound = account.client("iam").create_policy(
        PolicyName=f"b-{uuid.uuid4().hex[:8]}", PolicyDocument=document({"Action": "sqs:*"})
    )["Policy"]["Arn"]
    may = {"Action": "dynamodb:GetItem"}
    ours, theirs = (
        {**may, "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [key]}}}
        for key in ("a#*", "b#*")
    )
    for made, expected in (
        (role(account), "because no identity-based policy allows the dynamodb:GetItem action"),
        (role(account, may), "done"),
        (
            role(account, may, boundary=bound),
            "because no permissions boundary allows the dynamodb:GetItem action",
        ),
        (role(account, may, {**may, "Effect": "Deny"}), "with an explicit deny in an identity-based policy"),
        (role(account, ours), "done"),
        (role(account, theirs), "because no identity-based policy allows"),
    ):
        function = account.function(CALLS, Role=made)
        answer = account.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        assert expected in json.loads(answer["Payload"].read())


def test_a_machine_calls_and_starts_only_what_its_role_allows(account: Account) -> None:
    function = account.function("def handler(event, context): return 1")
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": account.arn(function)},
        "End": True,
    }
    machine = account.machine({"StartAt": "Call", "States": {"Call": task}})
    assert account.run(machine)["status"] == "SUCCEEDED"
    states = account.client("stepfunctions")
    states.update_state_machine(stateMachineArn=machine, roleArn=role(account))
    ended = account.run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.AWSLambdaException")
    assert "is not authorized to perform: lambda:InvokeFunction" in ended["cause"]
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution",
        "Arguments": {"StateMachineArn": machine, "Input": {}},
        "End": True,
    }
    outer = account.machine({"StartAt": "Start", "States": {"Start": start}})
    states.update_state_machine(stateMachineArn=outer, roleArn=role(account))
    ended = account.run(outer)
    assert (
        ended["error"].startswith("StepFunctions.AccessDenied") and "states:StartExecution" in ended["cause"]
    )


def test_a_service_delivers_only_where_the_policy_of_the_target_lets_it(account: Account) -> None:
    events = account.client("events")
    url, arn = account.queue()
    source = f"s-{uuid.uuid4().hex[:8]}"
    rule = events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    events.put_targets(Rule=source, Targets=[{"Id": "q", "Arn": arn}])
    before = len(account.aws.authority.refusals)
    events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": '{"n": 1}'}])
    eventually(
        lambda: any(r.caller == "events.amazonaws.com" for r in list(account.aws.authority.refusals)[before:])
    )
    policy = {
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(policy)})
    events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": '{"n": 2}'}])
    assert [each["detail"] for each in account.received(url)] == [{"n": 2}]


def test_what_a_customers_key_encrypts_takes_the_key_too(account: Account) -> None:
    kms, secrets = account.client("kms"), account.client("secretsmanager")
    root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    key = kms.create_key(Policy=document(root))["KeyMetadata"]["Arn"]
    name = f"secret-{uuid.uuid4().hex[:8]}"
    secrets.create_secret(Name=name, SecretString="x", KmsKeyId=key)
    read = {"Action": "secretsmanager:GetSecretValue"}
    decrypt = {
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}},
    }
    code, said = refused(
        client(account, role(account, read), "secretsmanager").get_secret_value, SecretId=name
    )
    assert code == "AccessDeniedException" and "kms:Decrypt" in said
    assert client(account, role(account, read, decrypt), "secretsmanager").get_secret_value(SecretId=name)
    # Nobody whom the key's own policy does not let, whatever else they may.
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document({**root, "Action": "kms:Describe*"}))
    code, said = refused(
        client(account, role(account, read, decrypt), "secretsmanager").get_secret_value, SecretId=name
    )
    assert "no resource-based policy allows the kms:Decrypt action" in said


def test_a_restore_of_what_a_customers_key_encrypts_takes_a_grant(account: Account) -> None:
    rds, kms = account.client("rds"), account.client("kms")
    root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    key = kms.create_key(Policy=document(root))["KeyMetadata"]["Arn"]
    name = f"db-{uuid.uuid4().hex[:8]}"
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        StorageEncrypted=True,
        KmsKeyId=key,
    )
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-nightly")
    wanted = {"DBInstanceIdentifier": f"{name}-scratch", "DBSnapshotIdentifier": f"{name}-nightly"}
    restore = {"Action": "rds:RestoreDBInstanceFromDBSnapshot"}
    grant = {
        "Action": ["kms:CreateGrant", "kms:DescribeKey"],
        "Resource": key,
        "Condition": {
            "StringEquals": {"kms:ViaService": f"rds.{REGION}.amazonaws.com"},
            "Bool": {"kms:GrantIsForAWSResource": "true"},
        },
    }
    call = client(account, role(account, restore), "rds").restore_db_instance_from_db_snapshot
    code, said = refused(call, **wanted)
    assert code == "AccessDenied" and "kms:CreateGrant" in said
    client(account, role(account, restore, grant), "rds").restore_db_instance_from_db_snapshot(**wanted)


def test_a_condition_that_the_lab_cannot_evaluate_is_refused_and_says_so(account: Account) -> None:
    odd = {"Action": "sqs:ListQueues", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}
    _, said = refused(client(account, role(account, odd), "sqs").list_queues)
    assert "the lab cannot tell: the lab does not know the condition key aws:PrincipalTag/team" in said


def test_a_person_is_refused_what_nobody_gave_them(account: Account) -> None:
    iam = account.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
    sqs = session.client("sqs", endpoint_url=account.aws.endpoint)
    assert refused(sqs.list_queues)[0] == "AccessDenied"
    iam.put_user_policy(
        UserName="stranger", PolicyName="p", PolicyDocument=document({"Action": "sqs:ListQueues"})
    )
    sqs.list_queues()


def test_a_token_takes_only_the_role_that_trusts_its_subject(account: Account) -> None:
    host = "token.actions.githubusercontent.com"
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{host}:aud": "sts.amazonaws.com", f"{host}:sub": "repo:a/b:environment:x"}
        },
    }
    name = f"github-{uuid.uuid4().hex[:8]}"
    arn = account.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    github, sts = GitHub(), account.client("sts")

    def take(**claims: str) -> Any:
        token = github.token(claims.pop("aud", "sts.amazonaws.com"), **claims)
        return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="run", WebIdentityToken=token)

    assert take(sub="repo:a/b:environment:x")["Credentials"]["AccessKeyId"]
    for claims in ({"sub": "repo:a/b:pull_request"}, {"sub": "repo:a/b:environment:x", "aud": "you"}, {}):
        with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRoleWithWebIdentity"):
            take(**claims)
