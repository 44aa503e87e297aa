"""The whole lab: AWS, clusters, traffic and the deployed control plane, started and stopped together."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import msgspec
import urllib3
import yaml

from candlefish.catalog.compile import compile as compile_catalog
from candlefish.catalog.compile import scaled
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.read import effective
from lab import ROOT
from lab.aws.account import (
    ClusterIdentities,
    Keys,
    Network,
    Registrar,
    make_cluster,
    make_network,
    make_people,
)
from lab.aws.deploy import Deployed, deploy, read_template
from lab.aws.load_balancing import Traffic
from lab.aws.nodegroups import Capacity
from lab.aws.server import Aws
from lab.faults import Faults
from lab.kube import FakeCluster, eks_authenticator
from lab.moto import ACCOUNT
from lab.moto.timeline import Timeline
from lab.traffic.behaviour import BEHAVIOURS, Behaviour
from lab.traffic.registry import Registry

TEMPLATE = ROOT / "template.yaml"
# What every service runs when the lab comes up, and what it can be brought to.
FIRST_VERSION = "1.0.0"
GOOD_VERSIONS = (FIRST_VERSION, "1.1.0", "1.2.0")
# Share of failing requests that does not matter to the lab's judges.
NEGLIGIBLE = 0.01
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
        catalog: Path = ROOT / "catalog",
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.directory = directory
        self.time_scale = time_scale
        self._say = say
        self._began = time.perf_counter()
        # One session: its parsed API models are most of what a client costs.
        self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._making_clients = threading.Lock()
        self.faults = Faults()
        self.capacity = Capacity(Timeline(time_scale), self.faults)
        real = load(catalog)
        here = {name: _here(environment) for name, environment in real.environments.items()}
        self.catalog: Catalog = compressed(msgspec.structs.replace(real, environments=here), time_scale)
        # Nothing is started before the catalog is known to be right.
        self.aws = Aws(directory, port, time_scale, self.faults)
        self.traffic = Traffic(time_scale)
        self.registry = Registry(lambda: {known.digest for known in self.traffic.versions()})
        self.aws.functions.environment["REGISTRY_ENDPOINT"] = self.registry.endpoint
        self.catalog_path = directory / "catalog.json"
        self.catalog_path.write_bytes(compile_catalog(self.catalog))
        self.sites: dict[str, Site] = {}
        self._clusters: list[FakeCluster] = []
        self.people: dict[str, Keys] = {}
        self._controls()

    # --- up and down -------------------------------------------------------------------------

    def up(
        self, environments: Iterable[str] = ("production",), services: Iterable[str] | None = None
    ) -> None:
        """Start everything; every named service (all by default) ends up running its first version."""
        self.start()
        chosen = list(services) if services is not None else list(self.catalog.services)
        for number, name in enumerate(environments, start=10):
            self._say(f"{name}: network, cluster and control plane")
            self.sites[name] = self._make_site(name, number)
        self._write_env()
        for name in self.sites:
            self._say(f"{name}: {len(chosen)} services")
            self._bring_up(name, chosen)
            self.sites[name].services = chosen

    def start(self) -> None:
        """Start an account that has people and images, and nothing else."""
        self.aws.start()
        self.capacity.install()
        self.traffic.start()
        self.registry.start()
        for service in self.catalog.services.values():
            for version in GOOD_VERSIONS:
                self.traffic.register(service.name, version)
            for behaviour in BEHAVIOURS:
                self.traffic.register(service.name, behaviour, behaviour)
        self._write_images()
        names = [person.aws or name for name, person in self.catalog.people.items()]
        self.people = {keys.name: keys for keys in make_people(self.clients("us-west-2"), names)}
        self._write_credentials()

    def down(self) -> None:
        """Stop everything this lab started."""
        for cluster in self._clusters:
            cluster.stop()
        self.traffic.close()
        self.registry.stop()
        self.aws.stop()
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
                    )
                return self._clients[service, region, access_key]

        return client

    def invoke(self, environment: str, function: str, event: Any) -> Any:
        """Call a function of the control plane by the end of its name; its result.

        Raises
        ------
        RuntimeError
            The function failed; the message is its error.
        """
        site = self.sites[environment]
        fn = self.aws.lambdas.find(f"candlefish-{environment}-{function}", ACCOUNT, site.region)
        if fn is None:
            raise RuntimeError(f"there is no function candlefish-{environment}-{function}")
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
        self, name: str, number: int = 10, *, namespaces: Iterable[str], creator: str = ""
    ) -> Ground:
        """What an environment has before the control plane is deployed.

        `creator` is the person who made the cluster and administers it, the first one of the catalog by default.
        """
        environment = self.catalog.environments[name]
        region = environment.region
        clients = self.clients(region)
        network = make_network(clients, name, region, number)
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
        )
        cluster.start()
        self._clusters.append(cluster)
        arn = f"arn:aws:iam::{ACCOUNT}:user/{creator or next(iter(self.people))}"
        make_cluster(clients, environment.cluster, region, network, cluster, arn)
        self.capacity.adopt(region, environment.cluster, cluster)
        return Ground(name, region, network, cluster, port)

    def _make_site(self, name: str, number: int) -> Site:
        environment = self.catalog.environments[name]
        ground = self.make_ground(name, number, namespaces=(environment.namespace,))
        cluster, network, region = ground.cluster, ground.network, ground.region
        cluster.apply(_rbac(), namespace=environment.namespace)
        cluster.kubeconfig(self.directory / f"kubeconfig-{name}", namespace=environment.namespace)
        values = {
            "Environment": name,
            "ClusterName": environment.cluster,
            "ListenerArn": network.listener,
            "VpcId": network.vpc,
            "FrontDoorUrl": f"http://127.0.0.1:{ground.port}",
            "CatalogPath": str(self.catalog_path),
            # Real seconds on AWS; the load balancer divides them by the time scale.
            "HealthIntervalSeconds": "5",
            "DeregistrationDelaySeconds": "1",
            "WriterTimeoutSeconds": "5",
            "CapacityTimeoutSeconds": "5",
        }
        stack = deploy(
            self.aws,
            self.clients(region),
            TEMPLATE,
            f"candlefish-{name}",
            self._asked_for(values),
            region,
        )
        return Site(name, region, network, cluster, ground.port, stack)

    def _kubernetes_fault(self, resource: str, verb: str, user: str) -> Any:
        return self.faults.take("kubernetes", resource, verb, user)

    def _asked_for(self, values: dict[str, str]) -> dict[str, str]:
        declared = read_template(TEMPLATE).get("Parameters", {})
        missing = [name for name, spec in declared.items() if "Default" not in spec and name not in values]
        if missing:
            raise RuntimeError(
                f"template.yaml asks for {', '.join(missing)}, which the lab does not know; "
                "add them to lab/world.py"
            )
        return {name: value for name, value in values.items() if name in declared}

    def _bring_up(self, environment: str, services: list[str]) -> None:
        for service in services:
            self.invoke(environment, "onboard", {"service": service})
        with ThreadPoolExecutor(len(services) or 1) as pool:
            list(pool.map(lambda service: self._first_release(environment, service), services))

    def _first_release(self, environment: str, service: str) -> None:
        from lab.scenes.driver import start_release, wait_for

        fields = {"by": "platform-lead", "reason": "the lab comes up", **self._more_of(environment, service)}
        release = start_release(self, environment, service, FIRST_VERSION, **fields)
        ended = wait_for(self, environment, release, seconds=180)
        if ended["status"] != "SUCCEEDED":
            raise RuntimeError(
                f"{service} could not be brought up: {ended.get('error')}: {ended.get('cause')}"
            )
        self._is_served(environment, service)

    def _is_served(self, environment: str, service: str, seconds: float = 10) -> None:
        """Wait until users get answers: a rule takes effect a moment after it was written."""
        url = f"http://127.0.0.1:{self.sites[environment].port}/"
        headers = {"Host": self.host(environment, service)}
        deadline = time.monotonic() + seconds
        while (status := urllib3.request("GET", url, headers=headers, retries=False).status) != 200:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{service} was promoted, and {url} answers {status} for it")
            time.sleep(0.02)

    def host(self, environment: str, service: str) -> str:
        """The name under which users ask for a service."""
        return effective(self.catalog.services[service], self.catalog.environments[environment]).host

    def _more_of(self, environment: str, service: str) -> dict[str, str]:
        """What a service's first release says beside the image."""
        return {}

    def signed_in(self, person: str) -> dict[str, str]:
        """The environment variables with which a process acts as a person in this lab."""
        keys = self.people[person]
        return {
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
        }

    # --- files for strangers -----------------------------------------------------------------------

    def _write_env(self) -> None:
        first = next(iter(self.sites.values()))
        values = {
            **self.signed_in(next(iter(self.people))),
            "AWS_REGION": first.region,
            "AWS_DEFAULT_REGION": first.region,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.directory / "credentials"),
            "KUBECONFIG": str(self.directory / "kubeconfig"),
            "ALB_URL": f"http://127.0.0.1:{first.port}",
            "CANDLEFISH_ENVIRONMENT": first.name,
            **{
                f"ALB_URL_{name.upper()}": f"http://127.0.0.1:{site.port}"
                for name, site in self.sites.items()
            },
        }
        _private(self.directory / "kubeconfig", self._kubeconfig())
        lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
        _private(self.directory / "env", "\n".join(lines) + "\n")
        (self.directory / "pid").write_text(str(os.getpid()))

    def _write_credentials(self) -> None:
        credentials = "".join(
            f"[{keys.name}]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret}\n\n"
            for keys in self.people.values()
        )
        _private(self.directory / "credentials", credentials)

    def _kubeconfig(self) -> str:
        merged: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [],
            "users": [],
            "contexts": [],
        }
        for name in self.sites:
            one = json.loads((self.directory / f"kubeconfig-{name}").read_text())
            merged["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
            merged["users"].append({"name": name, "user": one["users"][0]["user"]})
            namespace = one["contexts"][0]["context"]["namespace"]
            context = {"cluster": name, "user": name, "namespace": namespace}
            merged["contexts"].append({"name": name, "context": context})
            merged.setdefault("current-context", name)
        return json.dumps(merged, indent=2)

    def _write_images(self) -> None:
        images: dict[str, dict[str, str]] = {}
        for known in self.traffic.versions():
            images.setdefault(known.service, {})[known.version] = self.image(known.service, known.version)
        (self.directory / "images.json").write_text(json.dumps(images, indent=2) + "\n")

    # --- the control endpoint --------------------------------------------------------------------------

    def _controls(self) -> None:
        self.aws.gateway.controls["status"] = lambda method, rest, body: (200, self.status())
        self.aws.gateway.controls["versions"] = self._control_versions

    def status(self) -> dict[str, Any]:
        """Where everything listens."""
        return {
            "endpoint": self.aws.endpoint,
            "time_scale": self.time_scale,
            "environments": {
                name: {
                    "region": site.region,
                    "front_door": f"http://127.0.0.1:{site.port}",
                    "kubernetes": site.cluster.endpoint,
                    "outputs": site.stack.outputs,
                    "hosts": {service: self.host(name, service) for service in site.services},
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
            self._write_images()
            return 201, {"image": self.image(wanted.service, wanted.version)}
        return 200, [msgspec.to_builtins(known) for known in self.traffic.versions()]


def compressed(catalog: Catalog, time_scale: float) -> Catalog:
    """The catalog in the lab's time.

    It holds fewer requests; so that a judge can tell from them, a rather rare error counts as negligible.
    """
    catalog = scaled(catalog, time_scale)
    policies = {
        name: msgspec.structs.replace(policy, negligible=max(policy.negligible, NEGLIGIBLE))
        for name, policy in catalog.policies.items()
    }
    return msgspec.structs.replace(catalog, policies=policies)


def _here(environment: Environment) -> Environment:
    """The environment in the lab's account, and awake whatever the clock says: only people put it to sleep."""
    schedule = environment.schedule
    if schedule is not None:
        schedule = msgspec.structs.replace(schedule, awake=("daily 00:00-24:00",), holidays=())
    return msgspec.structs.replace(environment, account=ACCOUNT, schedule=schedule)


class _NewVersion(msgspec.Struct, forbid_unknown_fields=True):
    """A version to put in the registry, or to change: the name of a behaviour, or one spelled out."""

    service: str
    version: str
    behaviour: str | Behaviour = "good"


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def _rbac() -> list[dict[str, Any]]:
    """What the control plane may do in a cluster: the manifests that users bind."""
    texts = [(ROOT / "deploy" / name).read_text() for name in RBAC]
    return [document for text in texts for document in yaml.safe_load_all(text)]
