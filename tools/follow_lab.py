"""Runs the `sh` blocks of pages that need a lab and nothing else, as they stand, in a copy of the checkout.

    python -m tools.follow_lab [README.md docs/tutorial.md docs/runbooks/outage.md ...]

A page starts its lab and ends it, as its reader does. Blocks are run by one shell after the other, each of which knows what the one
before exported; what a reader fills in (`# yours`) is filled in from `YOURS`. A command that the
page says to end with another status (`# exits 5: a question is open`) has to. Ends with 1 when a command fails, and at once.

Of README.md what stands under `RUN` is run so. What it says of services that run already is done in another company's world
(`lab.scenes.adoption`), and the steps that it shows have to be among those that `candlefish init` wrote there. `make demo` and
`make test` are .ci/run's (tests/unit/checks/test_follow_lab.py).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from candlefish.catalog.load import load
from candlefish.catalog.read import effective
from lab import CATALOG
from lab.choices import bare, judged
from lab.scenes.adoption import ADMIN, HOSTS, NAMESPACE, REGION, furnish, write_known
from lab.scenes.move_in import wait_until_served
from lab.world import World
from tools.document import Block, blocks, fill_in
from tools.layers import ROOT
from tools.reader_shell import (
    BLOCK_SECONDS,
    NOT_THE_READERS,
    SHELL,
    Failed,
    kubectl_that_fits,
    run_block,
    teller,
)

README, TUTORIAL, OUTAGE = "README.md", "docs/tutorial.md", "docs/runbooks/outage.md"
# The heading of README.md whose blocks are run where services run already, and what its reader fills in.
ADOPT = "Point it at what runs today"
THE_COMPANYS = {
    "AWS_PROFILE": ADMIN,
    "AWS_DEFAULT_REGION": REGION,
    "CLUSTER": "acme-prod",
    "NAMESPACE": NAMESPACE,
}
# Where init writes the steps, and what the page leaves open in them.
STEPS, OPEN = "control-plane/adoption-prod.md", ("IMAGE_OF_TODAY",)
# The headings of a page whose blocks are run; all, where none are named.
RUN: Mapping[str, tuple[str, ...]] = {README: ("Drive it yourself",)}
LINKED = (".venv",)
LEFT_OUT = (".git", ".lab", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()))
LOG = "build/follow-lab.log"
NEEDED = ("aws", "bash", "curl", "jq", "kubectl", "make")
THEIRS = ("AWS_", "CANDLEFISH_")
# A command of one line that ends with another status than 0, and its remark.
EXITS = re.compile(r"^(\S.*?) +# exits (\d+)\b.*$", re.MULTILINE)
# What a page takes for granted: a lab, and a canary that waits at a question.
BEFORE = {
    OUTAGE: """export PATH="$PWD/.venv/bin:$PATH"
candlefish lab up --detach -s {service}
source .lab/env
image=$(jq -r '."{service}"."1.1.0"' .lab/images.json)
release=$(candlefish deploy {service} "$image" -e {environment} --reason "the canary of the page" --no-follow)
candlefish watch "$release" -e {environment} --until-question {ends}
"""
}
AFTER = {OUTAGE: "candlefish lab down\n"}


def main() -> int:
    """0 when every command of every page worked."""
    say = teller()
    # Whatever ends this also ends the lab.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for command in NEEDED:
        if shutil.which(command) is None:
            sys.exit(f"{command} was not found; the pages say what one needs")
    (ROOT / LOG).parent.mkdir(exist_ok=True)
    (ROOT / LOG).write_text("")
    for page in sys.argv[1:] or [README, TUTORIAL, OUTAGE]:
        began = time.monotonic()
        with checkout() as tree:
            try:
                count = follow(page, tree, say)
                if page == README:
                    adopt(tree, say)
            except Failed as failed:
                say(f"FAILED: {page}: {failed}; what the commands said is in {LOG}")
                return 1
        say(f"{page} holds: {count} blocks in {time.monotonic() - began:.0f} s")
    return 0


@contextmanager
def checkout() -> Iterator[Path]:
    """A copy of the tree, as a reader has it after `make setup`."""
    with tempfile.TemporaryDirectory(prefix="candlefish-page-") as scratch:
        tree = Path(scratch, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for name in LINKED:
            (tree / name).symlink_to(ROOT / name)
        # The environment is there, and is that of this tree: `make setup` has nothing to do, whatever the copy's times say.
        for name in ("requirements.lock", "Makefile"):
            os.utime(tree / name, (0, 0))
        yield tree


def to_run(page: str, text: str) -> list[Block]:
    """The blocks of a page that are run, in their order.

    Raises
    ------
    Failed
        There is nothing to run.
    """
    headings = RUN.get(page, ())
    found = [block for block in blocks(text) if not headings or block.heading in headings]
    if not found:
        raise Failed(f"there is nothing to run{f' under {headings}' if headings else ''}")
    return found


def as_said(text: str) -> str:
    """Commands that shall end with what the page says (`# exits 5: ...`), and fail where they end with anything else."""
    return EXITS.sub(lambda found: f"{found[1]} && exit 97 || [ $? -eq {found[2]} ]", text)


def yours(page: str) -> dict[str, str]:
    """What a reader of the page fills in, in the lab."""
    if page != OUTAGE:
        return {}
    catalog = load(CATALOG)
    environment, service = judged(catalog), bare(catalog)
    host = effective(catalog.services[service], environment).host
    # The lab's first version is in the slot green.
    return {"ENV": environment.name, "SERVICE": service, "SERVICE_HOST": host, "GOOD": "green"}


def follow(page: str, tree: Path, say: Callable[[str], None]) -> int:
    """Run a page's blocks in a tree; how many there were.

    Raises
    ------
    Failed
        A command did not work.
    """
    values = yours(page)
    said = (tree / page).read_text()
    given = {
        "service": values.get("SERVICE", ""),
        "environment": values.get("ENV", ""),
        "ends": "|| test $? -eq 5",
    }
    around = {
        name: texts.get(page, "").format(**given) for name, texts in (("before", BEFORE), ("after", AFTER))
    }
    found = to_run(page, said)
    steps = [
        msgspec.structs.replace(each, text=fill_in(each, values)) if each.to_fill_in else each
        for each in found
    ]
    if around["before"]:
        steps.insert(0, Block("what the page takes for granted", 0, around["before"]))
    if around["after"]:
        steps.append(Block("what ends it", 0, around["after"]))
    state, script = tree.parent / "state.sh", tree.parent / "block.sh"
    environment = _environment(tree.parent, state, script)
    try:
        for block in steps:
            say(f"{page} line {block.line}, {block.heading}")
            _run(block, script, tree, environment)
    finally:
        # A lab that a page left behind outlives nobody.
        script.write_text('"$PWD/.venv/bin/candlefish" lab down || true\n')
        subprocess.run(["bash", "-c", SHELL], cwd=tree, env=environment, capture_output=True, check=False)
    return len(found)


def adopt(tree: Path, say: Callable[[str], None]) -> None:
    """Do what the README says of services that run already, in another company's world.

    Raises
    ------
    Failed
        A command did not work, or a step that is shown is none of those that were written.
    """
    text = (tree / README).read_text()
    log, more = ROOT / LOG, {"PATH": f"{tree}/.venv/bin{os.pathsep}{os.environ['PATH']}"}
    with World(tree.parent / "company", catalog=write_known(tree.parent / "known"), say=say) as world:
        world.start()
        _, old = furnish(world)
        wait_until_served(old.port, next(iter(HOSTS.values())))
        for block in (each for each in blocks(text) if each.heading == ADOPT):
            say(f"{README} line {block.line}, {block.heading}")
            done = fill_in(block, THE_COMPANYS) if block.to_fill_in else block.text
            wrong, told = run_block(world, done, f"line {block.line}", tree=tree, log=log, more=more)
            if wrong:
                raise Failed(f"line {block.line} {wrong}: ...{told[-600:]}")
    if strangers := unwritten(shown(text), (tree / STEPS).read_text()):
        raise Failed(f"{STEPS} has no such step as {strangers[0]!r}")


def shown(page: str) -> list[str]:
    """The steps that the README shows: commands without their remarks."""
    found = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = found[1].splitlines() if found else []
    return [line.split("  #")[0].strip() for line in lines]


def unwritten(commands: list[str], written: str) -> list[str]:
    """The commands that are not among those that were written."""

    def pattern(command: str) -> str:
        escaped = re.escape(command)
        for name in OPEN:
            escaped = escaped.replace(name, r"\S+")
        return rf"^\W*{escaped}\s*$"

    return [each for each in commands if not re.search(pattern(each), written, re.MULTILINE)]


def _environment(scratch: Path, state: Path, script: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(THEIRS)}
    for name in NOT_THE_READERS:
        kept.pop(name, None)
    if beside := kubectl_that_fits(scratch):
        kept["PATH"] = f"{beside}{os.pathsep}{kept['PATH']}"
    return {
        **kept,
        "STATE": str(state),
        "BLOCK": str(script),
        "TERM": "dumb",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": os.devnull,
    }


def _run(block: Block, script: Path, tree: Path, environment: Mapping[str, str]) -> None:
    script.write_text(as_said(block.text))
    with (ROOT / LOG).open("a") as log:
        log.write(f"\n=== line {block.line}, {block.heading}\n{block.text}---\n")
        log.flush()
        try:
            done = subprocess.run(
                ["bash", "-c", SHELL],
                cwd=tree,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=BLOCK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"line {block.line} still ran after {BLOCK_SECONDS:.0f} s") from None
    if done.returncode:
        told = re.sub(r"\s+", " ", (ROOT / LOG).read_text()[-600:])
        raise Failed(f"line {block.line} ended with {done.returncode}: ...{told}")


if __name__ == "__main__":
    sys.exit(main())
