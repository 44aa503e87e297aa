"""What `candlefish init` reads of an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.adopt.look_aws import look_at_account

BALANCER, LISTENER = "arn:balancer", "arn:listener"
# As the API answers: a listener names its default certificate alone, and the list of all has that one again.
ANSWERS: dict[str, list[dict[str, Any]]] = {
    "describe_load_balancers": [
        {
            "LoadBalancers": [
                {
                    "LoadBalancerArn": BALANCER,
                    "LoadBalancerName": "shop",
                    "Type": "application",
                    "VpcId": "vpc-1",
                    "DNSName": "shop.example",
                }
            ]
        }
    ],
    "describe_listeners": [
        {
            "Listeners": [
                {
                    "ListenerArn": LISTENER,
                    "Protocol": "HTTPS",
                    "Port": 443,
                    "Certificates": [{"CertificateArn": "arn:first"}],
                }
            ]
        }
    ],
    "describe_listener_certificates": [
        {"Certificates": [{"CertificateArn": "arn:first", "IsDefault": True}]},
        {"Certificates": [{"CertificateArn": "arn:second"}]},
    ],
    "describe_rules": [
        {
            "Rules": [
                {
                    "RuleArn": "arn:rule",
                    "Priority": "1",
                    "IsDefault": False,
                    "Conditions": [
                        {"Field": "path-pattern", "Values": ["/api/*"]},
                        {"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.acme.example"]}},
                    ],
                    "Actions": [{"Type": "forward", "TargetGroupArn": "arn:group"}],
                }
            ]
        },
        {"Rules": [{"RuleArn": "arn:last", "Priority": "default", "IsDefault": True}]},
    ],
}


class Account:
    """Clients of an account that has one load balancer, and answers everything else with nothing."""

    def __call__(self, service: str) -> Account:
        return self

    def get_paginator(self, operation: str) -> Account:
        self._operation = operation
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        empty: dict[str, list[Any]] = {
            "TargetGroups": [],
            "DBClusters": [],
            "DBInstances": [],
            "ReplicationGroups": [],
        }
        return iter(ANSWERS.get(self._operation, [empty]))

    def __getattr__(self, operation: str) -> Any:
        answer: dict[str, Any] = {
            "Account": "222222222222",
            "Arn": "arn:aws:iam::222222222222:user/ada",
            "TagDescriptions": [],
            "Vpcs": [],
            "OpenIDConnectProviderList": [],
        }
        return lambda **_: answer


def test_a_listener_has_all_of_its_certificates_and_rules() -> None:
    facts = look_at_account(Account(), "eu-central-1", "")
    (listener,) = facts.balancers[0].listeners
    assert listener.certificates == ("arn:first", "arn:second")
    assert [(rule.hosts, rule.groups) for rule in listener.rules] == [
        (("shop.acme.example",), {"arn:group": 1}),
        ((), {}),
    ]
    assert facts.unread == ()
