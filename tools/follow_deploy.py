"""Follows docs/deploy.md to the letter in the lab, from an empty account to the first canary.

    python -m tools.follow_deploy

The lab makes what a user has before: people with keys, a VPC, a load balancer with a listener, an EKS cluster,
images in a registry. Everything else is done by the commands of the page, in a copy of the tree: this runs every
`sh` block, in order, as they stand there, and ends with 1 when a command fails. Of the reader's part it does what
the page asks for: values for the block that is the reader's, the account's number in the catalog, parameters in
samconfig.toml, and a yes when `sam deploy` asks. Users send requests while the canary runs; none may fail.

Whose catalog: CANDLEFISH_CATALOG, with its samconfig.toml beside it; both are the tree's own in the copy. Environment, service
and people are chosen by what they are. Without a recovery region nobody follows the section about it.

The account is new (Lambda's quota), cluster and load balancer are private, IAM refuses, and the first deployment is broken
halfway: where `make preflight` stops the reader, what it says is done, to the letter, and the block is run again.
"""

from __future__ import annotations

import logging
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path

import msgspec

from candlefish.catalog.model import Environment
from candlefish.catalog.read import effective
from lab import CATALOG, SAMCONFIG
from lab.choices import bare, judged, second_approver
from lab.faults import Fault
from lab.moto import ACCOUNT, quotas
from lab.templates import read_template
from lab.traffic.load import Load
from lab.world import FIRST_VERSION, GOOD_VERSIONS, Ground, World
from tools.document import Block, blocks, fill_in, table
from tools.layers import ROOT
from tools.reader_layers import fit
from tools.reader_shell import Failed, run_block, teller

PAGE = "docs/deploy.md"
# Where the page's reader does more than run commands.
WRITES, STACK, CANARY = "2. The catalog and the parameters", "3. The stack", "6. The first canary"
RECOVERY = "The recovery region"
# What stops the reader, and has to.
STOPS = {"Lambda", "FunctionSubnetIds", "stack"}
# How often a block is run at most: a deployment that is broken is stopped once more, by what it left.
TRIES = 4
# As preflight prints it: what it is about, and a command in a line of its own.
FINDING = r"^{environment}(?:-recovery)?: (?P<about>[\w, ]+): (?P<what>.*)$|^    (?P<mend>\w.*)$"
LINKED = (".venv", ".venv-sam")
LEFT_OUT = (".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()))
# Requests a second: enough for the judge to tell in the lab's time (a minute is a second).
RATE = 300.0
# Requests that show who answers in the end.
ENOUGH = 150
# What the commands said.
LOG = "build/follow-deploy.log"
NOTHING: Mapping[str, str] = {}


def main() -> int:
    """0 when every command of the page worked and the first canary was promoted."""
    say = teller()
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    # Whatever ends this also ends the lab.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    for command in ("aws", "kubectl", "make", "bash"):
        if shutil.which(command) is None:
            sys.exit(f"{command} was not found; {PAGE} says what one needs")
    (ROOT / LOG).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="candlefish-follow-") as scratch:
        tree = Path(scratch, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for name in LINKED:
            (tree / name).symlink_to(ROOT / name)
        _put_catalog(tree)
        with World(Path(scratch, "lab"), catalog=tree / "catalog", say=say) as world:
            world.aws.quotas.concurrency = quotas.NEW
            world.start()
            home = judged(world.catalog)
            creator = next(iter(world.people))
            ground = world.make_ground(home.name, namespaces=(), creator=creator, private=True)
            there = _away(world, home, creator)
            where = f"{home.region} and {there.region}" if there else home.region
            say(f"a new account with people and images, and in {where} a network, a load balancer, a cluster")
            try:
                Reader(world, ground, there, tree, say).follow(blocks((tree / PAGE).read_text()))
            except Failed as failed:
                say(f"FAILED: {failed}")
                return 1
        say(
            f"{PAGE} holds: from an empty account to the first canary{', and to the recovery region' if there else ''}"
        )
        return 0


class Reader:
    """Who follows the page."""

    def __init__(
        self, world: World, ground: Ground, there: Ground | None, tree: Path, say: Callable[[str], None]
    ) -> None:
        self._world, self._ground, self._there, self._tree, self._say = world, ground, there, tree, say
        self._environment = environment = ground.name
        self._service = bare(world.catalog)
        deployer = next(iter(world.people))
        self._finding = re.compile(FINDING.format(environment=re.escape(environment)), re.MULTILINE)
        # What preflight stopped the reader for, and the fault that breaks the first deployment.
        self._stopped: set[str] = set()
        self._fault = ""
        world.aws.lambdas.adapt = partial(fit, world)
        self._values = {
            "ENV": environment,
            "AWS_PROFILE": deployer,
            "AWS_DEFAULT_REGION": ground.region,
            "CLUSTER": world.catalog.environments[environment].cluster,
            "NAMESPACE": world.catalog.environments[environment].namespace,
            "SERVICE": self._service,
            "LIVE_IMAGE": world.image(self._service, FIRST_VERSION),
            "NEXT_IMAGE": world.image(self._service, GOOD_VERSIONS[1]),
            "APPROVER": _user(world, second_approver(world.catalog)),
        }

    def follow(self, found: list[Block]) -> None:
        """Run every block; `Failed` when the page cannot be followed."""
        headings = [block.heading for block in found]
        for needed in (WRITES, STACK, CANARY, RECOVERY):
            if needed not in headings:
                raise Failed(f"the page has no commands under {needed!r}; tools/follow_deploy.py goes by it")
        followed = (block for block in found if block.heading != RECOVERY or self._there)
        for heading, part in groupby(followed, key=lambda block: block.heading):
            prepare = self._prepares().get(heading)
            users = prepare() if prepare else None
            for block in part:
                self._say(f"line {block.line}, {heading}")
                self._follow(block)
            if users:
                self._look_at(users)
        if missing := STOPS - self._stopped:
            raise Failed(f"make preflight did not stop the reader for {', '.join(sorted(missing))}")

    def _prepares(self) -> dict[str, Callable[[], Load | None]]:
        return {WRITES: self._write, STACK: self._break, CANARY: self._users, RECOVERY: self._stand_by}

    def _follow(self, block: Block) -> None:
        """Run a block; where it is stopped, do what is said there, and run it again."""
        again: dict[str, str] = {}
        for _ in range(TRIES):
            ended, told = self._run(block.text, f"line {block.line}", block, again)
            if not ended:
                return
            if self._fault and "ROLLBACK_COMPLETE" in told and self._faults_struck():
                self._say("  broken halfway, and taken back")
                self._fault = ""
                # As the page says: nothing changed, so nothing is built again.
                again = {"BUILT": "yes"}
            elif not self._do_what_it_says(told):
                break
        raise Failed(f"the block at line {block.line} {ended}. It said:\n{told[-3000:]}\nAll is in {LOG}.")

    def _do_what_it_says(self, told: str) -> bool:
        """Run the commands that preflight printed, and write the parameters that it asks for; whether it said anything."""
        stopped = blocks = False
        for said in self._finding.finditer(told):
            if said["about"]:
                blocks = "the deployment goes on" not in said["what"]
            if said["about"] and blocks:
                stopped = True
                self._stopped.add(said["about"])
                self._say(f"  stopped: {said['about']}: {said['what']}"[:150])
            if said["about"] == "FunctionSubnetIds":
                self._join_network()
            if said["mend"] and blocks:
                ended, answer = self._run(said["mend"], "as preflight says")
                if ended:
                    raise Failed(f"{said['mend']} {ended}. It said:\n{answer[-2000:]}")
        return stopped

    # --- the reader's part -----------------------------------------------------------------------

    def _break(self) -> None:
        """Have the first deployment fail halfway."""
        self._fault = self._world.faults.add(
            Fault(
                boundary="aws",
                service="eks",
                operation="CreateAccessEntry",
                kind="error",
                status=400,
                count=1,
            )
        )

    def _faults_struck(self) -> bool:
        return any(each.id == self._fault and each.hits for each in self._world.faults.list())

    def _join_network(self) -> None:
        """Private subnets of the environment's VPC, and a security group of them, for the functions."""
        ec2 = self._world.clients(self._ground.region)("ec2")
        wanted = [{"Name": "vpc-id", "Values": [self._ground.network.vpc]}]
        (group, *_) = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
        subnets = ",".join(self._ground.network.subnets)
        self._set(
            self._environment, {"FunctionSubnetIds": subnets, "FunctionSecurityGroupIds": group["GroupId"]}
        )

    def _stand_by(self) -> None:
        """The catalog and the section of the stack in the recovery region."""
        assert self._there is not None
        file = self._tree / "catalog" / "environments" / f"{self._environment}.yaml"
        text = file.read_text()
        if "recovery:" not in text.split():
            text += "\nrecovery: {standby: false}\n"
        file.write_text(_replaced(text, "standby: false", "standby: true"))
        values = {
            "ClusterName": f"{self._values['CLUSTER']}-recovery",
            "VpcId": self._there.network.vpc,
            "ListenerArns": self._there.network.listener,
            "PermissionsBoundaryArn": self._boundary(),
        }
        self._set(f"{self._environment}-recovery", values)

    def _boundary(self) -> str:
        stacks = self._world.clients(self._ground.region)("cloudformation")
        (bootstrap,) = stacks.describe_stacks(StackName="candlefish-bootstrap")["Stacks"]
        outputs = {row["OutputKey"]: row["OutputValue"] for row in bootstrap["Outputs"]}
        return str(outputs["PermissionsBoundaryArn"])

    def _set(self, section: str, values: dict[str, str]) -> None:
        """Parameters into a section of samconfig.toml; an empty one out of it."""
        file = self._tree / "samconfig.toml"
        start = f"[{section}.deploy.parameters]"
        head, found, rest = file.read_text().partition(start)
        mine, end, rest = rest.partition("\n]\n")
        if not found or not end:
            raise Failed(f"samconfig.toml has no section {start}")
        for name, value in values.items():
            mine = re.sub(rf'\n *"{name}=[^"]*",', "", mine)
            mine += f'\n    "{name}={value}",' if value else ""
        file.write_text(head + found + mine + end + rest)

    def _write(self) -> None:
        """The account's number into the catalog, and the environment's resources into samconfig.toml."""
        file = self._tree / "catalog" / "environments" / f"{self._environment}.yaml"
        file.write_text(_replaced(file.read_text(), r'(?m)^account: "\d{12}"', f'account: "{ACCOUNT}"'))
        values = {
            "ClusterName": self._values["CLUSTER"],
            "VpcId": self._ground.network.vpc,
            "ListenerArns": self._ground.network.listener,
            "PermissionsBoundaryArn": self._boundary(),
        }
        declared = read_template(self._tree / "template.yaml")["Parameters"]
        listed = table((self._tree / PAGE).read_text(), "parameter")
        needed = {name for name, spec in declared.items() if "Default" not in spec} - {
            "Environment",
            "Production",
        }
        if unknown := [name for name in listed if name not in declared]:
            raise Failed(f"template.yaml has no parameter {', '.join(unknown)}")
        if missing := sorted((needed | values.keys()) - set(listed)):
            raise Failed(f"the page's table does not say what {', '.join(missing)} is")
        # There is no Prometheus in this account.
        self._set(self._environment, {**values, "PrometheusUrl": ""})

    def _users(self) -> Load:
        catalog = self._world.catalog
        host = effective(catalog.services[self._service], catalog.environments[self._environment]).host
        load = Load(self._ground.port, [host], RATE)
        load.start()
        return load

    def _look_at(self, load: Load) -> None:
        time.sleep(0.5)
        since, sent = time.time(), load.sent
        while load.sent < sent + ENOUGH:
            time.sleep(0.1)
        samples = load.stop()
        failed = [sample for sample in samples if sample.failed]
        last = {sample.version for sample in samples if sample.at >= since}
        self._say(f"{len(samples)} requests, {len(failed)} failed; in the end {', '.join(last)} answered")
        if failed or last != {GOOD_VERSIONS[1]}:
            raise Failed(f"users saw it: {failed[:3]}")

    # --- the commands -----------------------------------------------------------------------------

    def _run(
        self, text: str, where: str, block: Block | None = None, more: Mapping[str, str] = NOTHING
    ) -> tuple[str, str]:
        """Run commands in the reader's shell: how they ended, empty when well, and what they said."""
        try:
            filled = fill_in(block, self._values) if block and block.to_fill_in else text
        except ValueError as error:
            raise Failed(str(error)) from error
        return run_block(self._world, filled, where, tree=self._tree, log=ROOT / LOG, more=more)


def _put_catalog(tree: Path) -> None:
    """The catalog that is followed with, and its samconfig.toml, in the place of the tree's own."""
    if CATALOG == ROOT / "catalog":
        return
    kept = tree / "catalog" / "schema"
    for each in (tree / "catalog").iterdir():
        if each != kept:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    shutil.copytree(CATALOG, tree / "catalog", dirs_exist_ok=True)
    shutil.copy(SAMCONFIG, tree / "samconfig.toml")


def _away(world: World, home: Environment, creator: str) -> Ground | None:
    """What there is in the recovery region; None where the environment has none."""
    if not home.recovery_region:
        return None
    away = msgspec.structs.replace(home, region=home.recovery_region, cluster=f"{home.cluster}-recovery")
    return world.make_ground(home.name, 60, namespaces=(), creator=creator, private=False, environment=away)


def _user(world: World, person: str) -> str:
    """The name by which IAM knows a person."""
    return world.catalog.people[person].aws[0].removeprefix("user/")


def _replaced(text: str, pattern: str, new: str) -> str:
    changed, count = re.subn(pattern, lambda match: new, text)
    if count != 1:
        raise Failed(f"{pattern} is there {count} times, not once")
    return changed


if __name__ == "__main__":
    sys.exit(main())
