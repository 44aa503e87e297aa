"""`make fuzz`: inputs that nobody meant to every parser; prints its seed, what became of them, and every counterexample."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time

from tests.support.fuzz.run import fuzz_all, input_of, summed


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--inputs", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--show", default="", help="the seed of a counterexample: print its input")
    given = asked.parse_args()
    if given.show:
        print(repr(input_of(given.show)))
        return 0
    print(f"{given.inputs:,} inputs, SEED={given.seed}, {given.processes} processes", flush=True)
    began = time.monotonic()
    tallies = summed(fuzz_all(given.seed, given.inputs, given.processes))
    took = time.monotonic() - began
    print(f"{'PARSER':44} {'TAKEN':>9} {'REFUSED':>9} {'EACH ms':>8}")
    for each in tallies.values():
        print(
            f"{each.parser:44} {each.taken:9,} {each.refused:9,} {1000 * each.seconds / max(each.inputs, 1):8.2f}"
        )
    inputs = sum(each.inputs for each in tallies.values())
    taken = sum(each.taken for each in tallies.values())
    found = [one for each in tallies.values() for one in each.found]
    print(
        f"{inputs:,} inputs in {took:.0f} s, {inputs / took:,.0f} a second: {taken:,} taken, "
        f"{inputs - taken - len(found):,} refused, {len(found)} counterexamples (SEED={given.seed})"
    )
    for one in found:
        print(f"\n{one.parser}: {one.error}\n  at {one.where}\n  seed {one.seed}\n  given {one.given}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
