"""`make explore`: every scenario with what was seen, then what was found of each fence that was taken away."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.exploration.broken import VARIANTS, broken
from tests.exploration.explore import Explored, explore
from tests.exploration.scenarios import SCENARIOS
from tools.layers import ROOT
from tools.pages import between

# The page that has what was seen of each scenario, between two marks; `--write` counts it anew.
PAGE = ROOT / "docs/exploration.md"
BEGINS, ENDS = "<!-- counted: exploration -->", "<!-- /counted -->"
# States of one scenario at most: all of `make explore` takes some minutes on two processors.
DEPTH = 60_000
# States until a fence's absence must have shown.
HUNT = 60_000


@dataclass(frozen=True)
class Line:
    """What came of one exploration, small enough to be sent between processes. `seconds` are for people."""

    name: str
    about: str
    states: int
    moves: int
    complete: bool
    seconds: float
    after: int
    wrong: dict[str, list[str]]


def explored(job: tuple[str, int]) -> Line:
    """A scenario with the product as it is."""
    name, most = job
    found = explore(SCENARIOS[name], most=most)
    return _line(name, SCENARIOS[name].about, found, found.wrong)


def hunted(job: tuple[int, int]) -> Line:
    """The first scenario in which the absence of a fence shows; else the last that was looked through."""
    variant, most = VARIANTS[job[0]], job[1]
    line = None
    for name in variant.scenarios:
        with broken(variant):
            found = explore(SCENARIOS[name], most=most, stop_at_first=True)
        line = _line(name, variant.without, found, found.broken)
        if line.wrong:
            break
    assert line is not None, "a variant has scenarios"
    return line


def _line(name: str, about: str, of: Explored, wrong: dict[str, list[str]]) -> Line:
    found = of.found
    return Line(name, about, found.states, found.moves, found.complete, of.seconds, found.after, wrong)


def main(arguments: list[str]) -> int:
    """Print the tables; 1 when something is wrong with the product, or a fence's absence was not found."""
    parser = argparse.ArgumentParser(prog="make explore", description=__doc__)
    parser.add_argument("--scenario", default="", help="only scenarios that begin so, with traces")
    parser.add_argument("--without", default="", help="only fences with this in their words, with traces")
    parser.add_argument("--depth", type=int, default=DEPTH, help="states of one scenario at most")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument(
        "--write", action="store_true", help="put what was seen of the scenarios into the page"
    )
    options = parser.parse_args(arguments)
    names = [name for name in SCENARIOS if name.startswith(options.scenario)]
    variants = [at for at, each in enumerate(VARIANTS) if options.without in each.without]
    if not names or not variants:
        parser.error(f"there is none; scenarios: {', '.join(SCENARIOS)}")
    chosen = bool(options.scenario or options.without)
    if chosen and options.write:
        parser.error("the page has all scenarios: --write takes no choice")
    with ProcessPoolExecutor(options.workers) as pool:
        wrong = 0
        if not options.without:
            seen = list[Line]()
            wrong += _scenarios(pool.map(explored, [(name, options.depth) for name in names]), chosen, seen)
            if options.write:
                PAGE.write_text(between(PAGE.read_text(), BEGINS, ENDS, table(seen)))
        if not options.scenario:
            wrong += _variants(pool.map(hunted, [(at, HUNT) for at in variants]), chosen)
    return 1 if wrong else 0


def table(lines: Iterable[Line]) -> str:
    """What was seen, as the page has it: what is bounded has more states than were looked at."""
    rows = [
        f"| `{each.name}` | {each.about} | {each.states:,}{'' if each.complete else ', bounded'} |"
        for each in lines
    ]
    return "\n".join(
        ["", "", "| scenario | what begins, and what may happen | states |", "|---|---|--:|", *rows, "", ""]
    )


def _scenarios(lines: Iterable[Line], traces: bool, seen: list[Line]) -> int:
    """Print each as it comes, and keep it in `seen`; how much is wrong."""
    print(f"{'scenario':36} {'states':>9} {'moves':>9}  {'':8} {'time':>6}  result", flush=True)
    wrong = total = 0
    for line in lines:
        seen.append(line)
        all_of_it = "complete" if line.complete else "bounded"
        result = "nothing wrong" if not line.wrong else f"{len(line.wrong)} wrong"
        print(
            f"{line.name:36} {line.states:9,} {line.moves:9,}  {all_of_it:8} {line.seconds:5.1f}s  {result}",
            flush=True,
        )
        # Whoever asks for one scenario wants to see it; everybody sees what is wrong.
        if traces and not line.wrong:
            print(f"    {line.about}")
        _traces(line)
        wrong += len(line.wrong)
        total += line.states
    print(f"{total:,} states, {wrong} wrong")
    return wrong


def _variants(lines: Iterable[Line], traces: bool) -> int:
    print(f"\n{'without':48} {'states':>9} {'steps':>6}  found", flush=True)
    missed = 0
    for line in lines:
        shortest = min(line.wrong.items(), key=lambda each: len(each[1]), default=("NOT FOUND", []))
        print(
            f"{line.about:48} {line.after or line.states:9,} {len(shortest[1]):6}  {shortest[0]} ({line.name})",
            flush=True,
        )
        missed += not line.wrong
        if traces:
            _traces(line)
    return missed


def _traces(line: Line) -> None:
    for what, trace in line.wrong.items():
        print(f"    {what}; the shortest way there:")
        for number, step in enumerate(trace, 1):
            print(f"      {number:3}. {step}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
