"""Follows docs/adopt.md in the lab: another company's world, `candlefish init`, and live services over and back.

    python -m tools.follow_adoption

The lab makes what the company has (`lab.scenes.adoption`). This runs the `sh` blocks of the page as they stand, in a copy of the
checkout, and where the page says so those of the adoption-ENVIRONMENT.md that init wrote: of the account, and of the services that
the reader moves. Each command is printed with its time, and in the end a table. Users and callers ask all the while; none of their
requests may fail.

The stacks are made by `make preflight` and `make deploy`, of what init wrote, with SAM; `make check` is left out, as docs/deploy.md
lets one, and what was built for the first environment is not built again for the second. What else the lab does in place of the
reader: it answers a question more where the judge asks one, and it plays the company's Prometheus and Alertmanager, whose alert is
posted to AlertsUrl with the stack's token.
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from lab.aws.deploy import Deployed
from lab.kube.kinds import DEPLOYMENT, POD
from lab.looks import looks
from lab.scenes.adoption import ADMIN, HOSTS, NAMESPACE, PORT, REGION, SECOND, furnish, write_known
from lab.scenes.clients import Callers, Old, Resolvers
from lab.scenes.driver import answer, open_question, query_table, record, rule_weights
from lab.scenes.kube_state import ALERT, KubeState
from lab.scenes.monitoring import Monitoring, programs
from lab.scenes.move_in import wait_until_served
from lab.world import GOOD_VERSIONS, Ground, Site, World
from tools.document import Block, blocks, fill_in
from tools.layers import ROOT
from tools.reader_layers import fit
from tools.reader_shell import Failed, run_block, teller
from tools.walk import Took, commands_of, printed, table

PAGE = "docs/adopt.md"
ENVIRONMENT, SERVICE, INTERNAL, WORKER = "prod", "shop", "catalog", "mailer"
# Headings of the page under which the lab does something of its own, and the environment whose steps are followed there.
CANARY, CRASHES = "4. The first canary", "5. An alert takes a version back"
STEPS = {"3. The steps": "prod", "7. The next environment": "prod-eu"}
# What is moved of each environment.
MOVED = {"prod": (SERVICE, INTERNAL, WORKER), "prod-eu": (SERVICE,)}
# What the page has its reader fill in, beside an image.
YOURS = {
    "AWS_PROFILE": ADMIN,
    "APPROVER": SECOND,
    "NOTICES_EMAIL": "on-call@acme.example",
    "AWS_DEFAULT_REGION": REGION,
    "CLUSTER": "acme-prod",
    "NAMESPACE": NAMESPACE,
    "SERVICE": SERVICE,
    "INTERNAL": INTERNAL,
    "WORKER": WORKER,
}
LINKED = (".venv", ".venv-sam")
LEFT_OUT = (".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()))
LOG = "build/follow-adoption.log"
# What the walk may take, in seconds: it is said, and nothing fails of a machine that is slower.
AT_MOST = 600.0
Say = Callable[[str], None]


def main() -> int:
    """0 when the services came over and back and no request failed."""
    say = teller()
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for command in ("aws", "kubectl", "make", "bash"):
        if shutil.which(command) is None:
            sys.exit(f"{command} was not found; {PAGE} says what one needs")
    with tempfile.TemporaryDirectory(prefix="candlefish-adopt-") as scratch:
        return follow(Path(scratch), say)


def follow(scratch: Path, say: Say) -> int:
    """Follow the page in a folder; 0 when all of it worked."""
    tree = scratch / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in LINKED:
        (tree / name).symlink_to(ROOT / name)
    (ROOT / LOG).parent.mkdir(exist_ok=True)
    (ROOT / LOG).write_text("")
    with World(scratch / "lab", catalog=write_known(scratch / "known"), say=say) as world:
        world.aws.lambdas.adapt = partial(fit, world)
        world.start()
        grounds, old = furnish(world)
        wait_until_served(old.port, HOSTS[SERVICE])
        say("another company: private clusters of prod and prod-eu, five services")
        follower, began = Follower(world, grounds, old, tree, say), time.monotonic()
        try:
            follower.follow(blocks((tree / PAGE).read_text()))
        except Failed as failed:
            say(f"FAILED: {failed}")
            return 1
        finally:
            for line in table(follower.took, time.monotonic() - began, AT_MOST):
                say(line)
    say(f"{PAGE} holds: {SERVICE}, {INTERNAL} and {WORKER} came over and back")
    return 0


class Follower:
    """Who follows the page."""

    def __init__(self, world: World, grounds: dict[str, Ground], old: Old, tree: Path, say: Say) -> None:
        self._world, self._grounds, self._old, self._tree, self._say = world, grounds, old, tree, say
        self.took: list[Took] = []
        self._monitoring: Monitoring | None = None
        self._values = {**YOURS, "NEXT_IMAGE": world.image(SERVICE, GOOD_VERSIONS[1])}

    def follow(self, found: list[Block]) -> None:
        """Run every block, users all the while; `Failed` when the page cannot be followed."""
        if missing := {*STEPS, CANARY, CRASHES} - {block.heading for block in found}:
            raise Failed(
                f"the page has no commands under {', '.join(missing)}; tools/follow_adoption.py goes by them"
            )
        users = Resolvers(self._world, REGION, HOSTS[SERVICE], self._old)
        callers = Callers(self._grounds[ENVIRONMENT].cluster, NAMESPACE, INTERNAL, PORT)
        try:
            for block in found:
                self._follow(block)
        finally:
            samples = users.stop().samples
            callers.stop()
            if self._monitoring:
                self._monitoring.close()
        failed = [str(each) for each in samples if each.failed] + callers.failed
        self._say(f"{len(samples)} requests of users, {callers.asked} of callers, {len(failed)} failed")
        if failed:
            raise Failed(f"users or callers saw it: {failed[:3]}")
        self._look_at_the_end()

    def _follow(self, block: Block) -> None:
        self._say(f"{PAGE}, line {block.line}: {block.heading}")
        if block.heading == CRASHES:
            self._crash()
        ended = threading.Event()
        if block.heading == CANARY:
            threading.Thread(target=self._answer_more, args=(ended,), daemon=True).start()
        try:
            self._run(block.heading, fill_in(block, self._values) if block.to_fill_in else block.text)
        finally:
            ended.set()
        if environment := STEPS.get(block.heading):
            self._steps(environment)

    def _steps(self, environment: str) -> None:
        """What adoption-ENVIRONMENT.md says, of the account and of the services that move."""
        page = f"adoption-{environment}.md"
        for block in blocks((self._tree / page).read_text()):
            service, named, _ = block.heading.partition(". ")[2].partition(":")
            if named and service not in MOVED[environment]:
                continue
            # Users are moved where they are: the lab has some in the first environment.
            if "users move over" in block.heading and environment != ENVIRONMENT:
                continue
            self._say(f"{page}, {block.heading}")
            self._run(f"{environment}: {block.heading}", block.text, built=environment != ENVIRONMENT)
            self._serve_new_listeners()
            self._note_stack(environment)
        for service in MOVED[environment]:
            known = record(self._world, environment, service)
            if not known["stable"]:
                raise Failed(f"{service} has no version in {environment}")
        if environment == ENVIRONMENT:
            self._look_at_the_worker(there=False)
            self._watch_over()

    def _serve_new_listeners(self) -> None:
        """Listeners that the commands made are served from now on."""
        elbv2 = self._world.clients(REGION)("elbv2")
        for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
            found = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
            for each in found:
                if each["ListenerArn"] not in self._world.traffic.ports:
                    self._world.traffic.listen(each["ListenerArn"])

    def _note_stack(self, environment: str) -> None:
        """Know an environment's stack once it was deployed."""
        stacks = self._world.clients(REGION)("cloudformation").describe_stacks()["Stacks"]
        found = [each for each in stacks if each["StackName"] == f"candlefish-{environment}"]
        if found and environment not in self._world.sites:
            outputs = {each["OutputKey"]: each["OutputValue"] for each in found[0].get("Outputs", ())}
            ground = msgspec.structs.asdict(self._grounds[environment])
            stack = Deployed(found[0]["StackName"], outputs, {})
            self._world.sites[environment] = Site(**{**ground, "name": environment}, stack=stack)

    def _look_at_the_worker(self, *, there: bool) -> None:
        """The worker's old Deployment has its Pods, or none, and the slot has the others."""
        store = self._grounds[ENVIRONMENT].cluster.store
        asked = {
            each["metadata"]["name"]: each["spec"].get("replicas", 1)
            for each in store.list(DEPLOYMENT, namespace=NAMESPACE)
        }
        slots = [count for name, count in asked.items() if name.startswith(f"{WORKER}-")]
        if bool(asked[WORKER]) is not there or bool(sum(slots)) is there:
            raise Failed(f"the worker's Deployments ask for {asked}")

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
                given = partial(answer, person=SECOND, reason="go on", question=question)
                status, _ = given(self._world, ENVIRONMENT, holder["release"], "approved")
                self._say(f"  asked again; {SECOND} answers ({status})")

    # --- the company's Prometheus and Alertmanager -------------------------------------------------

    def _watch_over(self) -> None:
        if programs() is None:
            raise Failed("prometheus and prometheus-alertmanager are wanted; apt-get install them")
        self._monitoring = Monitoring(self._world, ENVIRONMENT, of=KubeState)
        self._monitoring.start()
        self._say(f"a Prometheus with {ALERT}, and an Alertmanager that posts to AlertsUrl")

    def _crash(self) -> None:
        """kube-state-metrics says that a Pod of the version that was released last crashes; the version goes back."""
        known = record(self._world, ENVIRONMENT, SERVICE)
        slot = known["stable"]
        store = self._grounds[ENVIRONMENT].cluster.store
        names = [each["metadata"]["name"] for each in store.list(POD, namespace=NAMESPACE)]
        (pod, *_) = [name for name in names if name.startswith(f"{SERVICE}-{slot}-")]
        assert self._monitoring
        state = self._monitoring.prometheus
        assert isinstance(state, KubeState)
        began, fired = time.monotonic(), 0.0
        state.crash(NAMESPACE, pod, SERVICE)
        for _ in looks(180, 0.1):
            if not fired and state.query(f'ALERTS{{alertname="{ALERT}", alertstate="firing"}}'):
                fired = time.monotonic()
            weights = rule_weights(self._world, ENVIRONMENT, known["rule"])
            if not weights.get(known["slots"][slot]["target_group"]):
                break
        else:
            raise Failed(f"{ALERT} took nothing back")
        now = time.monotonic()
        self._say(f"  {ALERT} fired {(fired or now) - began:.1f} s after the first crash;")
        self._say(f"  traffic was back {now - (fired or now):.1f} s after that")
        for _ in looks(300):
            now_known = record(self._world, ENVIRONMENT, SERVICE)
            if not now_known.get("rollback") and not now_known.get("holder"):
                return
        raise Failed("the rollback did not end")

    def _look_at_the_end(self) -> None:
        """Nothing of the control plane's is left in prod, and the old Deployments run as before."""
        if query_table(self._world, ENVIRONMENT, f"record#{ENVIRONMENT}"):
            raise Failed("records are still there")
        store = self._grounds[ENVIRONMENT].cluster.store
        left = {
            each["metadata"]["name"]: each["spec"].get("replicas", 1)
            for each in store.list(DEPLOYMENT, namespace=NAMESPACE)
        }
        if sorted(left) != sorted([*HOSTS, INTERNAL, WORKER]) or not all(left.values()):
            raise Failed(f"in the end these Deployments were there: {left}")

    # --- the commands --------------------------------------------------------------------------------

    def _run(self, part: str, text: str, *, built: bool = False) -> None:
        """Run commands in the reader's shell, one by one, each printed with the time that it took."""
        for command in commands_of(text):
            began = time.monotonic()
            self._run_one(part, command, built=built)
            self.took.append(Took(part, command, time.monotonic() - began))
            for line in printed(command, self.took[-1].seconds):
                self._say(line)

    def _run_one(self, part: str, command: str, *, built: bool) -> None:
        more = {"BUILT": "yes"} if built else {}
        ended, told = run_block(self._world, command, part, tree=self._tree, log=ROOT / LOG, more=more)
        if ended:
            raise Failed(f"{ended}:\n{command}\n{told[-3000:]}\nAll is in {LOG}.")


if __name__ == "__main__":
    sys.exit(main())
