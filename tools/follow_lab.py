"""Runs the `sh` blocks of pages that need a lab and nothing else, as they stand, in a copy of the checkout.

    python -m tools.follow_lab [README.md docs/tutorial.md docs/runbooks/outage.md ...]

A page starts its lab and ends it, as its reader does. Blocks are run by one shell after the other, each of which knows what the one
before exported; what a reader fills in (`# yours`) is filled in from `YOURS`. Ends with 1 when a command fails, and at once.

Of README.md only what stands under `RUN` is run: the rest is of an account that there is (docs/adopt.md, which `make follow-adoption`
runs) or takes minutes by itself (`make demo`, `make test`: .ci/run runs them). tests/unit/checks/test_readme.py holds it to that.
"""

from __future__ import annotations

import os
import re
import shutil
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
from tools.document import Block, blocks, fill_in
from tools.layers import ROOT
from tools.reader_shell import BLOCK_SECONDS, NOT_THE_READERS, SHELL, Failed, kubectl_that_fits, teller

README, TUTORIAL, OUTAGE = "README.md", "docs/tutorial.md", "docs/runbooks/outage.md"
# The headings of a page whose blocks are run; all, where none are named.
RUN: Mapping[str, tuple[str, ...]] = {README: ("Drive it yourself",)}
LINKED = (".venv",)
LEFT_OUT = (".git", ".lab", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()))
LOG = "build/follow-lab.log"
NEEDED = ("aws", "bash", "curl", "jq", "kubectl", "make")
THEIRS = ("AWS_", "CANDLEFISH_")
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
    given = {"service": values.get("SERVICE", ""), "environment": values.get("ENV", ""), "ends": "|| true"}
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
    script.write_text(block.text)
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
