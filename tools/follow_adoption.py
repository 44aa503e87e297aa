"""Follows docs/adopt.md in the lab: another company's world, `candlefish init`, and a live service over and back.

    python -m tools.follow_adoption

The lab makes what the company has (`lab.scenes.adoption`). This runs the `sh` blocks of the page as they stand and, where
the page says so, those of the adoption-prod.md that init wrote; each with its time. Users go where DNS leads them all the while;
none of their requests may fail.

What the lab does in place of a command: it deploys the stack itself from what init wrote (`make preflight` and
`make deploy` are make follow-deploy's), and it plays the Alertmanager that sends KubePodCrashLooping.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import urllib3

from lab import ROOT
from lab.aws.account import Network
from lab.catalog import lab_catalog
from lab.handover import write_kubeconfig
from lab.kube.kinds import DEPLOYMENT
from lab.looks import looks
from lab.scenes.adoption import (
    ADMIN,
    HOSTS,
    NAMESPACE,
    REGION,
    SECOND,
    Old,
    Resolvers,
    furnish,
    write_known,
)
from lab.scenes.driver import alert_token, answer, open_question, query_table, record, rule_weights
from lab.scenes.move_in import wait_until_served
from lab.world import GOOD_VERSIONS, Ground, World
from tools.document import Block, blocks, fill_in
from tools.reader_shell import SHELL, Failed, shell_environment, teller

PAGE = "docs/adopt.md"
ENVIRONMENT, SERVICE = "prod", "shop"
# Headings of the page under which the lab does something of its own.
STEPS, CANARY = "3. The steps", "4. The first canary"
ALERT = "5. An alert takes a version back"
# What the lab deploys by itself.
DEPLOYS = "make deploy"
BLOCK_SECONDS = 600.0
Say = Callable[[str], None]


def main() -> int:
    """0 when the service came over and back and no request failed."""
    say = teller()
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    with tempfile.TemporaryDirectory(prefix="candlefish-adopt-") as scratch:
        return follow(Path(scratch), say)


def follow(scratch: Path, say: Say) -> int:
    """Follow the page in a folder; 0 when all of it worked."""
    known = write_known(scratch / "known")
    with World(scratch / "lab", catalog=known, say=say) as world:
        world.start()
        ground, old = furnish(world)
        wait_until_served(old.port, HOSTS[SERVICE])
        say("another company's account: two private clusters, five services of helm's charts in prod")
        try:
            Follower(world, ground, old, scratch, say).follow(blocks((ROOT / PAGE).read_text()))
        except Failed as failed:
            say(f"FAILED: {failed}")
            return 1
    say(f"{PAGE} holds: {SERVICE} came over, was released, taken back by an alert, and given back")
    return 0


class Follower:
    """Who follows the page."""

    def __init__(self, world: World, ground: Ground, old: Old, scratch: Path, say: Say) -> None:
        self._world, self._ground, self._old, self._say = world, ground, old, say
        self._folder = scratch / "acme"
        self._folder.mkdir()
        self._bin = scratch / "bin"
        self._bin.mkdir()
        command = self._bin / "candlefish"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n')
        command.chmod(0o755)
        for name in ("deploy", "docs"):
            (self._folder / name).symlink_to(ROOT / name)
        self._state = scratch / "state.sh"
        ground.cluster.kubeconfig(world.directory / "kubeconfig-acme-prod", namespace=NAMESPACE)
        write_kubeconfig(world.directory, ["acme-prod"])
        self._values = {
            "AWS_PROFILE": ADMIN,
            "APPROVER": SECOND,
            "AWS_DEFAULT_REGION": REGION,
            "CLUSTER": "acme-prod",
            "NAMESPACE": NAMESPACE,
            "SERVICE": SERVICE,
            "NEXT_IMAGE": world.image(SERVICE, GOOD_VERSIONS[1]),
        }

    def follow(self, found: list[Block]) -> None:
        """Run every block, users all the while; `Failed` when the page cannot be followed."""
        users = Resolvers(self._world, HOSTS[SERVICE], self._old)
        try:
            for block in found:
                self._say(f"line {block.line}, {block.heading}")
                ended = threading.Event()
                if block.heading == CANARY:
                    threading.Thread(target=self._answer_more, args=(ended,), daemon=True).start()
                try:
                    self._run(fill_in(block, self._values) if block.to_fill_in else block.text)
                finally:
                    ended.set()
                if block.heading == STEPS:
                    self._steps()
                if block.heading == ALERT:
                    self._alert()
        finally:
            samples = users.stop().samples
        failed = [each for each in samples if each.failed]
        self._say(f"{len(samples)} requests, {len(failed)} failed")
        if failed:
            raise Failed(f"users saw it: {failed[:3]}")
        self._look_at_the_end()

    def _answer_more(self, ended: threading.Event) -> None:
        """Answer what is asked after the first question, as the page says: where few requests come in the judge's time,
        it cannot tell and asks."""
        known: list[str] = []
        while not ended.wait(1.0):
            holder = record(self._world, ENVIRONMENT, SERVICE).get("holder")
            if not holder:
                continue
            question = open_question(self._world, ENVIRONMENT, holder["release"])
            if not question or question in known:
                continue
            known.append(question)
            # The first one is the page's own.
            if len(known) > 1:
                status, _ = answer(
                    self._world,
                    ENVIRONMENT,
                    holder["release"],
                    "approved",
                    person=SECOND,
                    reason="go on",
                    question=question,
                )
                self._say(f"  asked again; {SECOND} answers ({status})")

    def _steps(self) -> None:
        """What adoption-prod.md says, of the account and of the one service."""
        for block in blocks((self._folder / f"adoption-{ENVIRONMENT}.md").read_text()):
            about = block.heading.partition(". ")[2]
            if ":" in about and not about.startswith(f"{SERVICE}:"):
                continue
            self._say(f"adoption-{ENVIRONMENT}.md, {block.heading}")
            lines = block.text.splitlines(keepends=True)
            self._run("".join(line for line in lines if not line.startswith("make ")))
            self._serve_new_listeners()
            if DEPLOYS in block.text:
                self._deploy()

    def _serve_new_listeners(self) -> None:
        """Listeners that the commands made are served from now on."""
        elbv2 = self._world.clients(REGION)("elbv2")
        for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
            found = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
            for each in found:
                if each["ListenerArn"] not in self._world.traffic.ports:
                    self._world.traffic.listen(each["ListenerArn"])

    def _deploy(self) -> None:
        """The stack, from the catalog and the parameters that init wrote."""
        import tomllib

        self._world.use_catalog(lab_catalog(self._folder / "catalog", self._world.time_scale))
        config = tomllib.loads((self._folder / "samconfig.toml").read_text())
        told = config[ENVIRONMENT]["deploy"]["parameters"]["parameter_overrides"]
        values = dict(each.partition("=")[::2] for each in told)
        if any("TO-BE-FILLED" in each for each in values.values()):
            raise Failed(f"samconfig.toml has placeholders: {values}")
        network: Network = msgspec.structs.replace(
            self._ground.network, listener=values["ListenerArns"], vpc=values["VpcId"]
        )
        ground = msgspec.structs.replace(self._ground, name=ENVIRONMENT, network=network)
        environment = self._world.catalog.environments[ENVIRONMENT]
        network_of_functions = {
            name: values[name] for name in ("FunctionSubnetIds", "FunctionSecurityGroupIds")
        }
        self._world.sites[ENVIRONMENT] = self._world.deploy(ground, environment, **network_of_functions)
        self._say("  the stack is deployed by the lab")

    def _alert(self) -> None:
        """Alertmanager says that Pods of the version that was released last crash; the version goes back."""
        site = self._world.sites[ENVIRONMENT]
        known = record(self._world, ENVIRONMENT, SERVICE)
        slot = known["stable"]
        labels = {
            "alertname": "KubePodCrashLooping",
            "severity": "warning",
            "namespace": NAMESPACE,
            "pod": f"{SERVICE}-{slot}-5d4f8c7b9-x2x7q",
            "container": SERVICE,
            "job": "kube-state-metrics",
            "prometheus": "monitoring/kube-prometheus-stack-prometheus",
        }
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        alert = {
            "status": "firing",
            "labels": labels,
            "annotations": {"description": "Pod is in CrashLoopBackOff"},
            "startsAt": now,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.acme.example/graph",
            "fingerprint": "a1b2c3d4e5f60718",
        }
        body = {
            "version": "4",
            "groupKey": '{}:{alertname="KubePodCrashLooping"}',
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "candlefish",
            "groupLabels": {"alertname": "KubePodCrashLooping"},
            "commonLabels": labels,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.acme.example",
            "alerts": [alert],
        }
        token = alert_token(self._world, ENVIRONMENT)
        sent = time.monotonic()
        told = urllib3.request(
            "POST",
            site.stack.outputs["AlertsUrl"],
            body=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        if told.status != 202:
            raise Failed(f"the alert was answered {told.status}: {told.data!r}")
        for _ in looks(120):
            weights = rule_weights(self._world, ENVIRONMENT, known["rule"])
            if not weights.get(known["slots"][slot]["target_group"]):
                break
        else:
            raise Failed("KubePodCrashLooping took nothing back")
        self._say(f"  KubePodCrashLooping: traffic was back after {time.monotonic() - sent:.1f} s")
        for _ in looks(300):
            now_known = record(self._world, ENVIRONMENT, SERVICE)
            if not now_known.get("rollback") and not now_known.get("holder"):
                return
        raise Failed("the rollback did not end")

    def _look_at_the_end(self) -> None:
        """Nothing of the control plane's is left, and the old Deployment runs as before."""
        if query_table(self._world, ENVIRONMENT, f"record#{ENVIRONMENT}"):
            raise Failed("the record is still there")
        store = self._ground.cluster.store
        left = [each["metadata"]["name"] for each in store.list(DEPLOYMENT, namespace=NAMESPACE)]
        if SERVICE not in left or any(name.startswith(f"{SERVICE}-") for name in left):
            raise Failed(f"in the end these Deployments were there: {', '.join(left)}")

    def _run(self, text: str) -> None:
        """Run commands in the reader's shell, one by one, each printed with the time that it took."""
        for line in text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                began = time.monotonic()
                self._run_one(line)
                self._say(f"  {time.monotonic() - began:5.1f} s  $ {' '.join(line.split())[:150]}")

    def _run_one(self, command: str) -> None:
        script = self._folder.parent / "block.sh"
        script.write_text(f"{command}\n")
        environment = shell_environment(self._world, state=self._state, block=script)
        environment |= {
            "AWS_PROFILE": ADMIN,
            "AWS_DEFAULT_REGION": REGION,
            "PYTHONPATH": f"{ROOT / 'layers' / 'control_plane'}{os.pathsep}{ROOT}",
            "PATH": f"{self._bin}{os.pathsep}{environment['PATH']}",
        }
        done = subprocess.run(
            ["bash", "-c", SHELL],
            cwd=self._folder,
            env=environment,
            input=b"y\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BLOCK_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Failed(
                f"ended with {done.returncode}:\n{command}\n{done.stdout.decode(errors='replace')[-3000:]}"
            )


if __name__ == "__main__":
    sys.exit(main())
