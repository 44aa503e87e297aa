"""What `candlefish init` guesses, from what, and what it says is in the way."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from candlefish.catalog.load import load
from candlefish.catalog.read import effective
from candlefish.catalog.stack_parameters import derived
from candlefish.release.manifests.images import repository
from cli.adopt.facts import Facts
from cli.adopt.proposal import Proposal
from cli.adopt.propose import propose
from cli.adopt.workloads import cores, memory
from cli.adopt.write import files
from cli.init import facts_of_chart, init_command, write_all
from cli.samconfig import FILLED_IN, written
from tests.support.adopted import DIGEST, deployment, labels, service

NAMED = {"key": "app.kubernetes.io/name", "operator": "In", "values": ["shop", "cart"]}
OLD = {"key": "app.kubernetes.io/instance", "operator": "NotIn", "values": ["shop-blue", "shop-green"]}


def by_name(proposal: Proposal) -> dict[str, Any]:
    return {each.name: each for each in proposal.services}


def test_services_are_of_the_kind_that_leads_to_them(facts: Facts) -> None:
    found = by_name(propose("prod", facts))
    assert {name: each.fields["kind"].value for name, each in found.items()} == {
        "shop": "web",
        "catalog": "cluster",
        "mailer": "worker",
    }
    assert found["shop"].fields["host"].why == "Ingress shop/shop"


def test_a_service_is_as_large_as_it_is_today(facts: Facts) -> None:
    shop = by_name(propose("prod", facts))["shop"].fields
    assert shop["replicas"].value == {"min": 2, "max": 9, "target_cpu_percent": 80}
    assert shop["resources"].value == {
        "cpu": "250m",
        "memory": "128Mi",
        "cpu_limit": "1",
        "memory_limit": "1Gi",
    }
    assert by_name(propose("prod", facts))["catalog"].fields["replicas"].value == {"min": 2, "max": 2}


def test_a_named_port_is_found_in_the_container(facts: Facts) -> None:
    assert by_name(propose("prod", facts))["shop"].fields["port"].value == 8080


def test_the_image_that_runs_is_named_by_digest(facts: Facts) -> None:
    assert by_name(propose("prod", facts))["shop"].image == f"registry.acme.example/shop@{DIGEST}"


def test_no_secret_is_in_what_is_kept_or_written(facts: Facts) -> None:
    assert b"hunter2" not in msgspec.json.encode(facts)
    written = files(propose("prod", facts), {})
    assert not any("hunter2" in text for text in written.values())
    assert "# DSN comes from key url of Secret shop-db" in written["catalog/services.yaml"]


def test_who_is_called_is_found_in_addresses_and_never_in_a_circle(with_objects: Any) -> None:
    back = deployment("catalog2", {"env": [{"name": "SHOP", "value": "http://shop:80"}]})
    forth = deployment("shop2", {"env": [{"name": "A", "value": "http://catalog2"}]})
    facts = with_objects(back, forth, service("catalog2"), service("shop2"))
    found = by_name(propose("prod", facts))
    assert found["shop"].fields["depends_on"].value == ["catalog"]
    assert found["catalog2"].fields["depends_on"].value == ["shop"]
    assert found["shop2"].fields["depends_on"].value == ["catalog2"]


def test_an_environment_has_what_is_its_own(facts: Facts) -> None:
    fields = propose("prod", facts).fields
    assert fields["production"].value is True
    assert [each["identifier"] for each in fields["databases"].value] == ["acme-prod"]
    assert [each["replication_group"] for each in fields["caches"].value] == ["acme-prod-sessions"]
    assert fields["cost"].value["high"] == 1200
    assert fields["timezone"].value == "Europe/Berlin"


def test_the_judge_reads_what_services_report(facts: Facts) -> None:
    assert propose("prod", facts).preset.value == "spring"
    other = msgspec.structs.replace(facts, prometheus=None)
    assert propose("prod", other).preset.value == ""


def test_an_alert_that_prometheus_has_gets_a_rule(facts: Facts, tmp_path: Path) -> None:
    write_all("prod", facts, tmp_path)
    rules = load(tmp_path / "catalog").responses.rules
    assert rules["kube-pod-crash-looping"].match == {"alertname": "KubePodCrashLooping", "subject": "service"}


def test_a_private_cluster_is_asked_from_inside(facts: Facts) -> None:
    parameters = propose("prod", facts).parameters
    assert parameters["FunctionSubnetIds"].value == "subnet-1,subnet-2"
    assert parameters["FunctionSecurityGroupIds"].value == "sg-1"


def cron_job(name: str, image: str = "registry.acme.example/catalog:1", **metadata: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": name, "image": image}]}
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return {"kind": "CronJob", "metadata": {"name": name, "namespace": "shop", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("more", "says", "blocks"),
    [
        (
            [deployment("disk", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "disk-0"}}])],
            "ReadWriteOnce",
            True,
        ),
        ([deployment("bare", {"readinessProbe": None})], "no Service", None),
        (
            [deployment("bare", {"readinessProbe": None}), service("bare")],
            "it has no readiness probe",
            False,
        ),
        ([deployment("root", {"securityContext": {}})], "may run as root today", False),
        ([deployment("two"), service("two", type="NodePort")], "is of type NodePort", False),
        (
            [deployment("wide"), service("wide", selector={"app.kubernetes.io/name": "wide"})],
            "and so the slots' Pods too",
            True,
        ),
        (
            [{"kind": "StatefulSet", "metadata": {"name": "queue", "namespace": "shop"}, "spec": {}}],
            "several containers",
            False,
        ),
        ([cron_job("nightly")], "it runs the image of catalog", False),
        ([cron_job("backup", "example.com/backup:1")], "it runs no service's image", False),
        ([cron_job("ours", labels={"candlefish.ai/cron-of": "catalog"})], "it runs the image of", None),
        ([deployment("a" * 41)], "its name does not fit", False),
    ],
)
def test_what_is_in_the_way_is_said(
    more: list[dict[str, Any]], says: str, blocks: bool | None, with_objects: Any
) -> None:
    found = [each for each in propose("prod", with_objects(*more)).obstacles if says in each.what]
    assert [each.blocks for each in found] == ([] if blocks is None else [blocks])


@pytest.mark.parametrize(
    ("kind", "page"), [("Rollout", "docs/from-argo-rollouts.md"), ("DaemonSet", "docs/limits.md, Adoption")]
)
def test_what_is_no_deployment_says_where_one_reads_on(kind: str, page: str, with_objects: Any) -> None:
    other = {"kind": kind, "metadata": {"name": "other", "namespace": "shop"}, "spec": {}}
    (found,) = [
        each for each in propose("prod", with_objects(other)).obstacles if "no Deployment" in each.what
    ]
    assert page in found.do


@pytest.mark.parametrize(
    ("object_", "says"),
    [
        (
            {"kind": "PodDisruptionBudget", "spec": {"selector": {"matchExpressions": [NAMED]}}},
            "selects by app.kubernetes.io/name In",
        ),
        (
            {"kind": "Deployment", "spec": {"selector": {"matchLabels": {NAMED["key"]: "shop"}}}},
            "selects by app.kubernetes.io/name=shop",
        ),
        (
            {
                "kind": "NetworkPolicy",
                "spec": {"podSelector": {"matchLabels": {NAMED["key"]: "shop"}, "matchExpressions": [OLD]}},
            },
            "",
        ),
    ],
)
def test_selectors_are_read_whole(object_: dict[str, Any], says: str, with_objects: Any) -> None:
    mine = {"metadata": {"name": "theirs", "namespace": "shop"}, **object_}
    found = [each for each in propose("prod", with_objects(mine)).obstacles if "slots' Pods too" in each.what]
    assert [each.blocks for each in found if each.about == "shop"] == ([True] if says else [])
    assert all(says in each.what for each in found)


def test_a_selector_of_name_and_instance_takes_no_pod_of_a_slot(facts: Facts) -> None:
    assert labels("shop")["app.kubernetes.io/instance"] == "shop"
    assert not [each for each in propose("prod", facts).obstacles if "slots' Pods too" in each.what]


def test_the_account_that_a_chart_made_is_used_and_not_written(with_objects: Any, tmp_path: Path) -> None:
    mine = deployment("billing", serviceAccountName="billing")
    account = {"kind": "ServiceAccount", "metadata": {"name": "billing", "namespace": "shop"}}
    facts = with_objects(mine, service("billing"), account)
    assert by_name(propose("prod", facts))["billing"].fields["service_account"].value == "billing"
    write_all("prod", facts, tmp_path)
    assert load(tmp_path / "catalog").services["billing"].service_account == "billing"


def test_an_account_of_a_services_name_that_its_pods_do_not_have_is_in_the_way(with_objects: Any) -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "shop", "namespace": "shop"}}
    found = propose("prod", with_objects(account)).obstacles
    assert [each.blocks for each in found if "is its chart's" in each.what] == [True]


def test_whoever_approves_gets_the_policies_for_it(facts: Facts) -> None:
    steps = propose("prod", facts, approvers=("user/grace",)).steps
    (people,) = [each for each in steps if each.title == "People"]
    assert people.commands.count("--user-name grace") == 2
    assert "--user-name ada" not in people.commands


def test_what_could_not_be_read_is_said_and_nothing_is_concluded(facts: Facts) -> None:
    blind = msgspec.structs.replace(facts, unread=("nodes: the cluster answered 403",))
    assert any("403" in each.what for each in propose("prod", blind).obstacles)


def test_steps_have_real_names(facts: Facts) -> None:
    commands = "\n".join(each.commands for each in propose("prod", facts).steps)
    assert "--subnets subnet-1 subnet-2" in commands
    assert "--certificates CertificateArn=arn:aws:acm:eu-central-1:222222222222:certificate/1" in commands
    assert f"candlefish deploy shop registry.acme.example/shop@{DIGEST} -e prod" in commands
    assert "candlefish take-over shop -e prod --share 10" in commands
    # The controller's security group goes with its Ingress.
    assert "sg-9" not in commands


def test_a_variable_that_ends_in_dots_keeps_them(with_objects: Any, tmp_path: Path) -> None:
    env = [{"name": "TITLE", "value": "loading..."}, {"name": "MORE", "value": "..."}]
    write_all("prod", with_objects(deployment("banner", {"env": env})), tmp_path)
    assert load(tmp_path / "catalog").services["banner"].env == {"TITLE": "loading...", "MORE": "..."}


def test_what_is_written_is_sound_and_stays(facts: Facts, tmp_path: Path) -> None:
    write_all("prod", facts, tmp_path)
    catalog = load(tmp_path / "catalog")
    assert sorted(catalog.services) == ["catalog", "mailer", "shop"]
    services = tmp_path / "catalog" / "services.yaml"
    edited = services.read_text().replace("owner: checkout", "owner: payments  # since May", 1)
    services.write_text(edited)
    write_all("prod", facts, tmp_path)
    assert services.read_text() == edited


def test_a_second_environment_says_what_is_different(facts: Facts, tmp_path: Path) -> None:
    write_all("prod", facts, tmp_path)
    (old,) = [each for each in facts.objects if each["kind"] == "Ingress"]
    spec = {"rules": [{**old["spec"]["rules"][0], "host": "shop.eu.acme.example"}]}
    objects = tuple({**each, "spec": spec} if each is old else each for each in facts.objects)
    there = msgspec.structs.replace(
        facts,
        objects=objects,
        namespace="shop-eu",
        cluster=msgspec.structs.replace(facts.cluster, name="acme-prod-eu"),
        stored=(),
    )
    write_all("prod-eu", there, tmp_path)
    catalog = load(tmp_path / "catalog")
    assert catalog.environments["prod-eu"].host_prefix == "eu"
    assert effective(catalog.services["shop"], catalog.environments["prod-eu"]).host == "shop.eu.acme.example"
    assert not catalog.environments["prod-eu"].overrides
    assert sorted(catalog.services) == ["catalog", "mailer", "shop"]
    assert (tmp_path / "samconfig.toml").read_text().count(".deploy.parameters]") == 2


def test_what_was_to_be_filled_is_filled_by_the_next_run(facts: Facts, tmp_path: Path) -> None:
    write_all("prod", facts, tmp_path)
    config = tmp_path / "samconfig.toml"
    blank = config.read_text()
    assert "ListenerArns=TO-BE-FILLED" in blank and blank.count("=TO-BE-FILLED") == 2
    # Beside what it is about is said how it is found; the catalog's own writer changes nothing of it.
    assert f'    # {FILLED_IN["NoticesEmail"]}\n    "NoticesEmail=TO-BE-FILLED"' in blank
    assert written(blank, load(tmp_path / "catalog"), "prod") == blank
    config.write_text(blank.replace("NoticesEmail=TO-BE-FILLED", "NoticesEmail=ops@acme.example"))
    mine = msgspec.structs.replace(
        facts.balancers[0], name="candlefish-prod", tags={"candlefish:environment": "prod"}
    )
    found = msgspec.structs.replace(facts, balancers=(*facts.balancers, mine))
    write_all("prod", found, tmp_path, email="other@acme.example")
    text = config.read_text()
    listener = f'    # Load balancer candlefish-prod.\n    "ListenerArns={mine.listeners[0].arn}"'
    assert listener in text and "TO-BE-FILLED" not in text and "then run init again" not in text
    # What a person wrote stays.
    assert "NoticesEmail=ops@acme.example" in text and "other@" not in text


def test_the_stack_is_told_what_its_catalog_says_and_what_was_found(facts: Facts, tmp_path: Path) -> None:
    write_all("prod", facts, tmp_path, email="ops@acme.example")
    deploy = tomllib.loads((tmp_path / "samconfig.toml").read_text())["prod"]["deploy"]["parameters"]
    given = dict(each.partition("=")[::2] for each in deploy["parameter_overrides"])
    catalog = load(tmp_path / "catalog")
    assert derived(catalog.environments["prod"], catalog).items() <= given.items()
    assert (given["Production"], given["CostTarget"], given["ClusterName"]) == ("yes", "1200", "acme-prod")
    assert given["NoticesEmail"] == "ops@acme.example" and given["VpcId"] == "vpc-1"
    assert (deploy["region"], deploy["confirm_changeset"]) == ("eu-central-1", True)


def test_a_region_of_another_partition_has_its_arns(facts: Facts) -> None:
    found = propose("prod", msgspec.structs.replace(facts, region="cn-north-1"), approvers=("user/grace",))
    boundary = "arn:aws-cn:iam::222222222222:policy/candlefish-boundary"
    assert found.parameters["PermissionsBoundaryArn"].value == boundary
    (people,) = [each.commands for each in found.steps if each.title == "People"]
    assert people.count("arn:aws-cn:iam::222222222222:policy/") == 2


def test_minimal_is_one_service(facts: Facts, tmp_path: Path) -> None:
    write_all("prod", facts, tmp_path, minimal=True)
    assert list(load(tmp_path / "catalog").services) == ["shop"]


def test_saved_facts_are_read_again(facts: Facts, tmp_path: Path) -> None:
    saved = tmp_path / "facts.json"
    saved.write_bytes(msgspec.json.encode(facts))
    done = CliRunner().invoke(
        init_command, ["-e", "prod", "--offline", str(saved), "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "3 services (1 web, 1 cluster, 1 worker); the catalog is sound" in done.output


def test_what_helm_or_kubectl_wrote_is_read_object_by_object(tmp_path: Path) -> None:
    many = {"apiVersion": "v1", "kind": "List", "items": [deployment("shop"), service("shop")]}
    rendered = tmp_path / "all.yaml"
    rendered.write_text(f"---\n{msgspec.json.encode(many).decode()}\n---\n# nothing\n")
    found = facts_of_chart(rendered, "shop", "eu-central-1").objects
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [
        ("Deployment", "shop"),
        ("Service", "shop"),
    ]


@pytest.mark.parametrize(
    ("quantity", "is_"),
    [("250m", "250m"), ("1", "1"), ("0.5", "500m"), (2, "2"), ("1500m", "1500m"), (None, "")],
)
def test_cores(quantity: Any, is_: str) -> None:
    assert cores(quantity) == is_


@pytest.mark.parametrize(
    ("quantity", "is_"), [("512Mi", "512Mi"), ("1Gi", "1Gi"), ("1G", "954Mi"), ("2048Mi", "2Gi"), ("", "")]
)
def test_memory(quantity: Any, is_: str) -> None:
    assert memory(quantity) == is_


@pytest.mark.parametrize(
    ("image", "is_"),
    [
        ("nginx:1.27", "docker.io/library/nginx"),
        ("acme/shop", "docker.io/acme/shop"),
        ("ghcr.io/acme/shop:1@sha256:abc", "ghcr.io/acme/shop"),
        ("localhost:5000/shop:2", "localhost:5000/shop"),
    ],
)
def test_repositories(image: str, is_: str) -> None:
    assert repository(image) == is_


def test_a_worker_and_a_service_in_the_cluster_have_ways_of_their_own(
    facts: Facts, with_objects: Any
) -> None:
    def commands(of: Facts, service: str) -> list[str]:
        return [each.commands for each in propose("prod", of).steps if each.title.startswith(f"{service}:")]

    handed, *rest = commands(facts, "catalog")[0].splitlines()
    assert handed == "kubectl -n shop label --overwrite service catalog candlefish.ai/share=cluster"
    assert rest[0] == "candlefish onboard catalog -e prod"
    # Before the release: until it has its Pods, callers stay.
    first, moved = commands(facts, "mailer")
    assert first.startswith("candlefish onboard mailer -e prod\ncandlefish deploy mailer ")
    assert moved == "kubectl -n shop scale deployment mailer --replicas=0"
    # A Service of another name is nobody's to lead.
    behind = {"app.kubernetes.io/name": "prices", "app.kubernetes.io/instance": "prices"}
    other = with_objects(deployment("prices"), service("prices-svc", selector=behind))
    assert not any("label" in each for each in commands(other, "prices"))
