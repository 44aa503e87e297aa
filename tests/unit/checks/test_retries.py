"""Retry lists by name: one that drifted is found, and written anew from its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tools.retries import POLICIES, drifted, listed, rendered, rewritten

DEFINITION = f"""
StartAt: Each
States:
  Each:
    Type: Map
    ItemProcessor:
      States:
        Step:
          Type: Task
          # retry: stubborn
          Retry: {rendered(POLICIES["stubborn"])}
  Close:
    Type: Task
    # retry: anything
    Retry: {rendered(POLICIES["anything"])}
"""
DRIFTED = DEFINITION.replace("RuleContested, ", "", 1)


def test_lists_that_are_their_policies_pass() -> None:
    assert list(drifted(DEFINITION)) == []
    assert rewritten(DEFINITION) == DEFINITION


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("RuleContested, ", "", "Each > Step: its Retry is not the policy stubborn"),
        ("MaxAttempts: 20", "MaxAttempts: 21", "Close: its Retry is not the policy anything"),
        (", JitterStrategy: FULL", "", "Each > Step: its Retry is not the policy stubborn"),
        ("    # retry: anything\n", "", "Close: no comment `# retry: NAME` stands above"),
        ("# retry: stubborn", "# retry: stubbornly", "Each > Step: there is no retry policy stubbornly"),
    ],
)
def test_a_list_that_drifted_is_found(old: str, new: str, words: str) -> None:
    (found,) = drifted(DEFINITION.replace(old, new, 1))
    assert words in found


def test_a_list_is_written_anew_from_its_name() -> None:
    assert DRIFTED != DEFINITION
    assert rewritten(DRIFTED) == DEFINITION


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_what_is_written_reads_as_what_is_meant(policy: object) -> None:
    assert yaml.safe_load(rendered(policy)) == listed(policy)  # type: ignore[arg-type]


def test_there_are_five_policies_and_each_knows_that_processes_die() -> None:
    assert len(POLICIES) == 5
    for name, policy in POLICIES.items():
        assert policy.errors == ("States.ALL",) or "Runtime.ExitError" in policy.errors, name


def test_every_policy_is_in_use() -> None:
    text = "".join(path.read_text() for path in Path("statemachines").glob("*.asl.yaml"))
    used = {each for head in ("", "looks, ") for each in POLICIES if f"# retry: {head}{each}\n" in text}
    assert used == set(POLICIES)
