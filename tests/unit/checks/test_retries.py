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
          # retry: patient
          Retry: {rendered(POLICIES["patient"])}
  Close:
    Type: Task
    # retry: any_error
    Retry: {rendered(POLICIES["any_error"])}
"""
DRIFTED = DEFINITION.replace("RuleContested, ", "", 1)


def test_lists_that_are_their_policies_pass() -> None:
    assert list(drifted(DEFINITION)) == []
    assert rewritten(DEFINITION) == DEFINITION


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("RuleContested, ", "", "Each > Step: its Retry is not the policy patient"),
        ("MaxAttempts: 12", "MaxAttempts: 13", "Close: its Retry is not the policy any_error"),
        (", JitterStrategy: FULL", "", "Each > Step: its Retry is not the policy patient"),
        ("    # retry: any_error\n", "", "Close: no comment `# retry: NAME` stands above"),
        ("# retry: patient", "# retry: patiently", "Each > Step: there is no retry policy patiently"),
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


def test_a_task_token_is_not_asked_for_again_because_a_person_thinks() -> None:
    assert "States.Timeout" not in POLICIES["without_timeout"].errors


def test_every_policy_is_in_use() -> None:
    text = "".join(path.read_text() for path in Path("statemachines").glob("*.asl.yaml"))
    assert [name for name in POLICIES if f"# retry: {name}\n" not in text] == []
