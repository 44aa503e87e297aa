"""The whole lab: AWS, clusters, traffic and the deployed control plane, started and stopped together."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import msgspec
import yaml
from botocore.config import Config

from candlefish.catalog.compile import compile as compile_catalog
from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.read import effective
from candlefish.catalog.stack_parameters import derived
from lab import CATALOG, ROOT, garbage
from lab.aws.account import (
    ClusterIdentities,
    Keys,
    Network,
    Registrar,
    give,
    lead_out,
    make_cluster,
    make_network,
    make_people,
)
from lab.aws.deploy import Deployed, deploy
from lab.aws.load_balancing import Traffic
from lab.aws.nodegroups import Nodegroups
from lab.aws.server import Aws
from lab.catalog import lab_catalog, members, signed_in_by
from lab.choices import builder
from lab.faults import Faults
from lab.github import GitHub
from lab.handover import write_credentials, write_env, write_images, write_kubeconfig
from lab.kube import FakeCluster, eks_authenticator
from lab.kube.pod_security import guarded
from lab.moto import ACCOUNT, rds_stops
from lab.moto.timeline import Timeline
from lab.oidc import CLIENT, OidcIssuer
from lab.sigstore import Sigstore, Workflow
from lab.templates import read_template
from lab.traffic.behaviour import BEHAVIOURS, Behaviour
from lab.traffic.database import Database
from lab.traffic.registry import BUILDER, Registry

TEMPLATE = ROOT / "template.yaml"
# What every service runs when the lab comes up, and what it can be brought to.
# On a busy machine a stack takes longer than botocore waits, and a stack that is asked for twice exists already. Seconds.
PATIENT = Config(read_timeout=600)
FIRST_VERSION = "1.0.0"
GOOD_VERSIONS = (FIRST_VERSION, "1.1.0", "1.2.0")
RBAC = ("rbac.yaml", "rbac-capacity.yaml")


class Ground(msgspec.Struct):
    """What an environment has before the control plane: a network, a cluster, a load balancer at `port`."""

    name: str
    region: str
    network: Network
    cluster: FakeCluster
    port: int


class Site(Ground):
    """One environment of the lab. `services` are those that were brought up."""

    stack: Deployed
    services: list[str] = []


class World:
    """A running lab.

    Parameters
    ----------
    directory
        Where it keeps its files (`.lab`).
    time_scale
        A minute of the product's waits takes 60 / time_scale seconds.
    """

    def __init__(
        self,
        directory: Path = ROOT / ".lab",
        *,
        time_scale: float = 60.0,
        port: int = 0,
        catalog: Path = CATALOG,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.directory = directory
        self.time_scale = time_scale
        self.say = say
        # One session: its parsed API models are most of what a client costs.
        self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._making_clients = threading.Lock()
        self.faults = Faults()
        self.timeline = Timeline(time_scale)
        self.nodegroups = Nodegroups(self.timeline, self.faults)
        # Nothing is started before the catalog is known to be right.
        real = lab_catalog(catalog, time_scale)
        self.oidc = OidcIssuer(members(real))
        self.catalog = signed_in_by(real, self.oidc.issuer, CLIENT)
        self.aws = Aws(directory, port, time_scale, self.faults)
        self.aws.pace.under_way.append(lambda: self.timeline.pending)
        self.traffic = Traffic(time_scale, pace=self.aws.pace)
        self.github = GitHub()
        sigstore = Sigstore(self.github.issuer)
        self.trust_root = directory / "trusted_root.json"
        self.trust_root.write_text(json.dumps(sigstore.trusted_root()))
        self.registry = Registry(
            lambda: {known.digest for known in self.traffic.versions()},
            sigstore,
            builder=Workflow(*(builder(self.catalog) or BUILDER)),
        )
        self.aws.functions.environment["REGISTRY_ENDPOINT"] = self.registry.endpoint
        self.aws.functions.environment["GITHUB_ISSUER"] = self.github.issuer
        self.catalog_path = directory / "catalog.json"
        self.use_catalog(self.catalog)
        self.sites: dict[str, Site] = {}
        # What each environment's stack was told.
        self._values: dict[str, dict[str, str]] = {}
        self._clusters: list[FakeCluster] = []
        self.people: dict[str, Keys] = {}
        self._controls()

    # --- up and down -------------------------------------------------------------------------

    def up(self, environments: Iterable[str]) -> None:
        """Start everything; no service runs yet (`lab.scenes.bring_up`)."""
        with garbage.lasting():
            self.start()
            for number, name in enumerate(environments, start=10):
                self.say(f"{name}: network, cluster and control plane")
                self.sites[name] = self.make_site(name, number)
            self._hand_over()

    def start(self) -> None:
        """Start an account that has people and images, and nothing else."""
        self.aws.start()
        self.nodegroups.install()
        rds_stops.install(self.timeline)
        self.traffic.start()
        self.registry.start()
        self.github.start()
        self.oidc.start()
        for service in self.catalog.services.values():
            for version in GOOD_VERSIONS:
                self.traffic.register(service.name, version)
            for behaviour in BEHAVIOURS:
                self.traffic.register(service.name, behaviour, behaviour)
        self._hand_over_images()
        names = [p.removeprefix("user/") for person in self.catalog.people.values() for p in person.aws]
        self.people = {keys.name: keys for keys in make_people(self.clients("us-west-2"), names)}
        write_credentials(self.directory, self.people.values())

    def down(self) -> None:
        """Stop everything this lab started."""
        for cluster in self._clusters:
            cluster.stop()
        self.traffic.close()
        self.registry.stop()
        self.github.stop()
        self.oidc.stop()
        self.aws.stop()
        garbage.no_longer()
        for name in ("env", "pid"):
            with contextlib.suppress(FileNotFoundError):
                (self.directory / name).unlink()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exception: object) -> None:
        self.down()

    def clients(self, region: str, keys: Keys | None = None) -> Callable[[str], Any]:
        """boto3 clients on the lab, as the administrator or as a person; each is made once."""
        access_key, secret = (keys.access_key, keys.secret) if keys else ("lab", "lab")

        def client(service: str) -> Any:
            with self._making_clients:
                if (service, region, access_key) not in self._clients:
                    self._clients[service, region, access_key] = self._session.client(
                        service,
                        region_name=region,
                        endpoint_url=self.aws.endpoint,
                        aws_access_key_id=access_key,
                        aws_secret_access_key=secret,
                        config=PATIENT,
                    )
                return self._clients[service, region, access_key]

        return client

    def use_catalog(self, catalog: Catalog) -> None:
        """Give the functions this catalog; those that run read it when they start anew."""
        self.catalog = catalog
        self.catalog_path.write_bytes(compile_catalog(catalog))

    def carry(self, environment: str) -> None:
        """Deploy an environment's stack again with the catalog as it is by now, in the layer, as `make deploy` does."""
        text = self.catalog_path.read_bytes()
        tree = self.directory / f"deployed-{hashlib.sha256(text).hexdigest()[:12]}"
        for name in ("functions", "statemachines", "layers"):
            left_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, tree / name, ignore=left_out, dirs_exist_ok=True)
        (tree / "layers" / "control_plane" / "candlefish" / "catalog.json").write_bytes(text)
        self.update(environment, Path(shutil.copy(TEMPLATE, tree)))

    def invoke(self, environment: str, function: str, event: Any) -> Any:
        """Call a function of the control plane by the end of its name; its result.

        Raises
        ------
        RuntimeError
            The function failed; the message is its error.
        """
        return self.invoke_in(self.sites[environment].region, environment, function, event)

    def invoke_in(self, region: str, environment: str, function: str, event: Any) -> Any:
        """The same in a region that is not the environment's own."""
        fn = self.aws.lambdas.find(f"candlefish-{environment}-{function}", ACCOUNT, region)
        if fn is None:
            raise RuntimeError(f"there is no function candlefish-{environment}-{function} in {region}")
        self.aws.pace.stir()
        # As the AWS SDKs do, when the function runs as often as it may.
        while (outcome := self.aws.lambdas.call(fn, json.dumps(event).encode())).error == "Throttled":
            time.sleep(0.1)
        answer = json.loads(outcome.payload)
        if outcome.error:
            raise RuntimeError(f"{function} failed: {answer.get('errorType')}: {answer.get('errorMessage')}")
        return answer

    def image(self, service: str, version: str) -> str:
        """A version's image reference, by digest.

        Raises
        ------
        LookupError
            The registry has no such version.
        """
        for known in self.traffic.versions():
            if (known.service, known.version) == (service, version):
                return f"{self.catalog.services[service].image}@{known.digest}"
        raise LookupError(f"the registry has no version {version} of {service}; register it first")

    # --- steps ---------------------------------------------------------------------------------

    def make_ground(
        self,
        name: str,
        number: int = 10,
        *,
        namespaces: Iterable[str],
        creator: str = "",
        environment: Environment | None = None,
        private: bool = False,
    ) -> Ground:
        """What an environment has before the control plane is deployed.

        `creator` is the person who made the cluster and administers it, the first one of the catalog by default;
        `environment` stands in for the catalog's. In a `private` one the cluster and the load balancer answer in the VPC
        alone, which has NAT.
        """
        environment = environment or self.catalog.environments[name]
        region = environment.region
        clients = self.clients(region)
        network = make_network(
            clients, name, region, number, scheme="internal" if private else "internet-facing"
        )
        if private:
            lead_out(clients, network)
        port = self.traffic.listen(network.listener)
        cluster = FakeCluster(
            self.traffic.pods,
            Registrar(clients("elbv2")),
            namespaces=namespaces,
            authenticate=eks_authenticator(
                environment.cluster,
                ClusterIdentities(self.aws, environment.cluster, region),
                sts=self.aws.endpoint,
            ),
            faults=self._kubernetes_fault,
            time_scale=1 / self.time_scale,
            pace=self.aws.pace,
            secret_values=partial(_secret_value, clients("secretsmanager")),
        )
        cluster.start()
        self._clusters.append(cluster)
        arn = f"arn:aws:iam::{ACCOUNT}:user/{creator or next(iter(self.people))}"
        make_cluster(clients, environment.cluster, region, network, cluster, arn, private=private)
        self.nodegroups.adopt(region, environment.cluster, cluster)
        return Ground(name, region, network, cluster, port)

    def make_site(self, name: str, number: int, environment: Environment | None = None) -> Site:
        """An environment with the control plane deployed; `environment` stands in for the catalog's."""
        environment = environment or self.catalog.environments[name]
        ground = self.make_ground(name, number, namespaces=(environment.namespace,), environment=environment)
        cluster = ground.cluster
        cluster.apply([guarded(environment.namespace)])
        cluster.apply(rbac(sleeps=not environment.production), namespace=environment.namespace)
        cluster.kubeconfig(self.directory / f"kubeconfig-{name}", namespace=environment.namespace)
        site = self.deploy(ground, environment)
        # What an account has once is made at home.
        if site.region == self.catalog.environments[name].region:
            self._give_policies(name)
        return site

    def deploy(self, ground: Ground, environment: Environment, **more: str) -> Site:
        """Deploy the control plane to where an environment is; `more` are parameters of its own.

        Raises
        ------
        RuntimeError
            CloudFormation did not make it, or went back to what there was.
        """
        name, network = ground.name, ground.network
        values = {
            "ClusterName": environment.cluster,
            "ListenerArns": network.listener,
            "VpcId": network.vpc,
            "CatalogPath": str(self.catalog_path),
            "TrustRootPath": str(self.trust_root),
            # Real seconds on AWS; the load balancer divides them by the time scale.
            "HealthIntervalSeconds": "5",
            "DeregistrationDelaySeconds": "1",
            "WriterTimeoutSeconds": "5",
            "ClusterWriterTimeoutSeconds": "15",
            "CapacityTimeoutSeconds": "5",
            # Of the environment as the catalog has it: the stack in the recovery region reaches both regions too.
            **derived(self.catalog.environments[name], self.catalog),
            # As samconfig.toml has it: what an account has once is made at home.
            "HomeRegion": self.catalog.environments[name].region,
            **self.parameters(),
            **more,
        }
        self._values[name] = _asked_for(values)
        stack = self._deploy(name, ground.region, TEMPLATE)
        # The issuer sends nobody to where nobody knows.
        if address := stack.outputs.get("ConsoleUrl"):
            self.oidc.redirects.add(f"{address}/")
        return Site(name, ground.region, network, ground.cluster, ground.port, stack)

    def _give_policies(self, environment: str) -> None:
        """The stack's policies for people, to all but the account's administrator, as docs/security.md says."""
        administrator = next(iter(self.people))
        for person in self.catalog.people.values():
            more = ("approver", "on-call") if person.approver else ()
            policies = [f"candlefish-{environment}-{each}" for each in ("reader", "deployer", *more)]
            for name in (principal.removeprefix("user/") for principal in person.aws):
                if name != administrator:
                    give(self.clients("us-west-2"), name, policies)

    def update(self, name: str, template: Path) -> None:
        """Update an environment's stack to what a tree holds: `template` and the code beside it.

        What runs goes on with the code that it began with.
        """
        site = self.sites[name]
        stack = self._deploy(name, site.region, template)
        self.sites[name] = msgspec.structs.replace(site, stack=stack)

    def _deploy(self, name: str, region: str, template: Path) -> Deployed:
        clients = self.clients(region)
        return deploy(self.aws, clients, template, f"candlefish-{name}", self._values[name], region)

    def _kubernetes_fault(self, resource: str, verb: str, user: str) -> Any:
        return self.faults.take("kubernetes", resource, verb, user)

    def parameters(self) -> dict[str, str]:
        """What more the stacks are told; for labs with something of their own."""
        return {}

    def host(self, environment: str, service: str) -> str:
        """The name under which users ask for a service."""
        return effective(self.catalog.services[service], self.catalog.environments[environment]).host

    def signed_in(self, person: str) -> dict[str, str]:
        """The environment variables with which a process acts as a person in this lab."""
        keys = self.people[person]
        return {
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
        }

    def _hand_over(self) -> None:
        write_kubeconfig(self.directory, self.sites)
        self.hand_over_env()
        (self.directory / "pid").write_text(str(os.getpid()))

    def hand_over_env(self) -> None:
        """Write down what whoever uses the lab sources; once more when there are services (`ALB_HOST`)."""
        first = next(iter(self.sites.values()))
        write_env(
            self.directory,
            {
                "AWS_ENDPOINT_URL": self.aws.endpoint,
                # Keys would win over whatever profile somebody chooses for one command.
                "AWS_PROFILE": next(iter(self.people)),
                "AWS_REGION": first.region,
                "AWS_DEFAULT_REGION": first.region,
                "AWS_SHARED_CREDENTIALS_FILE": str(self.directory / "credentials"),
                "KUBECONFIG": str(self.directory / "kubeconfig"),
                "ALB_URL": f"http://127.0.0.1:{first.port}",
                "CONSOLE_URL": first.stack.outputs.get("ConsoleUrl", ""),
                "ALB_HOST": next(
                    (host for each in first.services if (host := self.host(first.name, each))), ""
                ),
                "LISTENER_ARN": first.network.listener,
                "CANDLEFISH_ENVIRONMENT": first.name,
                **{
                    f"ALB_URL_{name.upper()}": f"http://127.0.0.1:{site.port}"
                    for name, site in self.sites.items()
                },
            },
        )

    def _hand_over_images(self) -> None:
        images: dict[str, dict[str, str]] = {}
        for known in self.traffic.versions():
            images.setdefault(known.service, {})[known.version] = self.image(known.service, known.version)
        write_images(self.directory, images)

    # --- the control endpoint --------------------------------------------------------------------------

    def _controls(self) -> None:
        self.aws.gateway.controls["status"] = lambda method, rest, body: (200, self.status())
        self.aws.gateway.controls["versions"] = self._control_versions
        self.aws.gateway.controls["database"] = self._control_database

    def status(self) -> dict[str, Any]:
        """Where everything listens."""
        return {
            "endpoint": self.aws.endpoint,
            "time_scale": self.time_scale,
            "rests": self.aws.pace.resting,
            "environments": {
                name: {
                    "region": site.region,
                    "front_door": f"http://127.0.0.1:{site.port}",
                    "kubernetes": site.cluster.endpoint,
                    "outputs": site.stack.outputs,
                    "hosts": {
                        service: host for service in site.services if (host := self.host(name, service))
                    },
                }
                for name, site in self.sites.items()
            },
            "people": sorted(self.people),
        }

    def _control_versions(self, method: str, rest: str, body: bytes) -> tuple[int, Any]:
        if method == "POST":
            wanted = msgspec.json.decode(body, type=_NewVersion)
            if wanted.service not in self.catalog.services:
                raise LookupError(f"the catalog has no service {wanted.service}")
            self.traffic.register(wanted.service, wanted.version, wanted.behaviour)
            self._hand_over_images()
            return 201, {"image": self.image(wanted.service, wanted.version)}
        return 200, [msgspec.to_builtins(known) for known in self.traffic.versions()]

    def _control_database(self, method: str, rest: str, body: bytes) -> tuple[int, Any]:
        wanted = msgspec.json.decode(body, type=_SharedDatabase)
        if wanted.service not in self.catalog.services:
            raise LookupError(f"the catalog has no service {wanted.service}")
        self.traffic.database(wanted.service, wanted.database)
        return 200, wanted.database


class _SharedDatabase(msgspec.Struct, forbid_unknown_fields=True):
    """What the database of a service can do from now on."""

    service: str
    database: Database


class _NewVersion(msgspec.Struct, forbid_unknown_fields=True):
    """A version to put in the registry, or to change: the name of a behaviour, or one spelled out."""

    service: str
    version: str
    behaviour: str | Behaviour = "good"


def rbac(*, sleeps: bool = True) -> list[dict[str, Any]]:
    """What the control plane may do in a cluster: the manifests that users bind, in production one alone."""
    texts = [(ROOT / "deploy" / name).read_text() for name in (RBAC if sleeps else RBAC[:1])]
    return [document for text in texts for document in yaml.safe_load_all(text)]


def _asked_for(values: dict[str, str]) -> dict[str, str]:
    """Those of the values that the template has parameters for."""
    declared = read_template(TEMPLATE).get("Parameters", {})
    missing = [name for name, spec in declared.items() if "Default" not in spec and name not in values]
    if missing:
        raise RuntimeError(
            f"template.yaml asks for {', '.join(missing)}, which the lab does not know; "
            "add them to lab/world.py"
        )
    return {name: value for name, value in values.items() if name in declared}


def _secret_value(client: Any, name: str) -> str | None:
    """A secret's text in the lab's Secrets Manager; None where there is none."""
    try:
        found: str | None = client.get_secret_value(SecretId=name).get("SecretString")
    except client.exceptions.ResourceNotFoundException:
        return None
    return found
