"""Approvals: who may answer, what an answer does, and that it counts once."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.errors import ApprovalExpired, InvalidInput, NotAllowed
from candlefish.release.decide_approval import ApprovalDecision, decide_approval, may_decide
from candlefish.release.model import Answered, Approval
from candlefish.release.payloads import ApprovalRequest
from candlefish.release.request_approval import request_approval
from tests.support.release_world import CATALOG, World, roll_back

LEAD = "arn:aws:iam::333333333333:user/platform-lead"
# What anybody who may assume some role can call the session: nobody.
NAMED_LIKE_LEAD = "arn:aws:sts::333333333333:assumed-role/AnyRole/platform-lead"
LEAD_ELSEWHERE = "arn:aws:iam::999999999999:user/platform-lead"
OTHER_LEAD = "arn:aws:iam::333333333333:user/product-lead"
DEVELOPER = "arn:aws:iam::333333333333:user/developer"
STRANGER = "arn:aws:iam::333333333333:user/mallory"


def question(requested_by: str, four_eyes: bool = True) -> Approval:
    return Approval("r2", "production", "backend-api", "", requested_by, four_eyes, 1e12, "token")


@pytest.mark.parametrize(
    ("principal", "requested_by", "four_eyes", "allowed"),
    [
        (LEAD, "developer", True, True),
        (NAMED_LIKE_LEAD, "developer", True, False),
        (NAMED_LIKE_LEAD, "developer", False, False),
        (LEAD_ELSEWHERE, "developer", True, False),
        ("arn:aws:iam::333333333333:user/x/platform-lead", "developer", True, False),
        ("arn:aws:sts::333333333333:federated-user/platform-lead", "developer", True, False),
        (LEAD, "github:example-developer", True, True),
        (LEAD, "platform-lead", True, False),
        (LEAD, "github:example-platform-lead", True, False),
        (LEAD, "slack:U00000001", True, False),
        (LEAD, "platform-lead", False, True),
        (LEAD, "somebody", True, False),
        (LEAD, "somebody", False, True),
        (DEVELOPER, "platform-lead", True, False),
        (STRANGER, "developer", True, False),
        ("", "developer", True, False),
        ("arn:", "developer", True, False),
        ("slack:U00000002", "developer", True, True),
        ("slack:", "developer", True, False),
    ],
)
def test_who_may_answer(principal: str, requested_by: str, four_eyes: bool, allowed: bool) -> None:
    if allowed:
        assert may_decide(question(requested_by, four_eyes), principal, CATALOG).approver
    else:
        with pytest.raises(NotAllowed):
            may_decide(question(requested_by, four_eyes), principal, CATALOG)


def ask(world: World, since: float = 0.0) -> str:
    """Ask a question of the release; its id. Beginning the same release again is harmless."""
    begun = world.begin()
    step = world.step(begun, "approve", within=600.0)
    if since:
        step = msgspec.structs.replace(step, since=since)
    fields = {name: getattr(step, name) for name in step.__struct_fields__}
    request_approval(
        ApprovalRequest(**fields, token="token"),
        catalog=world.catalog,
        approvals=world.approvals,
        records=world.records,
        journal=world.journal,
        now=world.clock,
    )
    return world.approvals.read("r2").question


def answer(
    world: World, answer: str, principal: str = LEAD, reason: str = "looks good", question: str | None = None
) -> Answered:
    shown = world.approvals.read("r2").question if question is None else question
    return decide_approval(
        ApprovalDecision("r2", shown, answer, reason),  # type: ignore[arg-type]
        principal=principal,
        catalog=world.catalog,
        approvals=world.approvals,
        records=world.records,
        executions=world.executions,
        journal=world.journal,
        now=world.clock,
    )


def test_a_question_whose_time_is_over_is_not_asked_again(world: World) -> None:
    ask(world)
    asked = world.approvals.read("r2")
    world.clock.at = asked.expires_at
    with pytest.raises(ApprovalExpired, match="nobody answered in time"):
        ask(world, since=asked.expires_at - 600.0)
    assert world.approvals.read("r2") == asked


def test_the_token_is_kept_and_never_published(world: World) -> None:
    ask(world)
    asked = world.approvals.read("r2")
    assert asked.token == "" and world.approvals.token(asked) == "token"
    assert all("token" not in str(entry) for entry in world.journal.timeline["r2"])
    assert world.journal.read("r2").status == "awaiting_approval"


def test_yes_lets_the_machine_go_on(world: World) -> None:
    ask(world)
    assert answer(world, "approved").by == "platform-lead"
    assert world.executions.answers == [("token", "success")]
    assert world.journal.read("r2").status == "running"


def test_no_fails_the_waiting_task(world: World) -> None:
    ask(world)
    answer(world, "denied", reason="wrong day")
    assert world.executions.answers == [("token", "ApprovalDenied")]
    assert world.journal.kinds("r2")[-1] == "denied"


def test_the_same_answer_twice_is_one_answer(world: World) -> None:
    ask(world)
    answer(world, "approved")
    answer(world, "approved")
    assert world.journal.kinds("r2").count("approved") == 1


def test_a_second_person_cannot_answer_otherwise(world: World) -> None:
    ask(world)
    answer(world, "approved")
    with pytest.raises(InvalidInput, match="approved by platform-lead before"):
        answer(world, "denied", OTHER_LEAD)
    assert world.executions.answers == [("token", "success")]


def test_an_answer_that_comes_too_late_is_refused(world: World) -> None:
    ask(world)
    world.clock.forward(601)
    with pytest.raises(InvalidInput, match="expired"):
        answer(world, "approved")
    assert world.executions.answers == []


def test_the_question_of_a_release_that_is_rolled_back_is_over(world: World) -> None:
    """Found by the simulator: its execution was stopped, and the question outlived the rollback."""
    ask(world)
    roll_back(world)
    with pytest.raises(InvalidInput, match="waits for no answer any more, it is rolling back"):
        answer(world, "approved")
    assert world.executions.answers == []
    assert world.approvals.read("r2").status == "pending"
    assert world.journal.kinds("r2")[-1] == "rolling_back"


def test_who_may_not_decide_changes_nothing(world: World) -> None:
    ask(world)
    with pytest.raises(NotAllowed, match="no approver"):
        answer(world, "approved", DEVELOPER)
    assert world.executions.answers == []
    assert world.approvals.read("r2").status == "pending"


def test_the_lease_lasts_as_long_as_the_question_is_open(world: World) -> None:
    ask(world)
    assert world.record.holder is not None
    assert world.record.holder.until >= world.approvals.read("r2").expires_at


# --- an answer names its question


def test_an_answer_to_an_earlier_question_is_refused(world: World) -> None:
    first = ask(world)
    answer(world, "approved")
    second = ask(world, since=world.clock() + 60)
    assert first != second
    for late in (first, "", "guessed"):
        with pytest.raises(InvalidInput, match="is not the open question of release r2; nothing was changed"):
            answer(world, "approved", OTHER_LEAD, question=late)
    assert world.approvals.read("r2").status == "pending"
    assert world.executions.answers == [("token", "success")]
    assert answer(world, "approved", OTHER_LEAD, question=second).status == "approved"


def test_a_question_that_is_asked_again_is_the_same_question(world: World) -> None:
    """The machine asks again when the function died after it had asked; what was told stays true."""
    assert ask(world) == ask(world)


def test_what_is_told_of_a_question_names_it(world: World) -> None:
    question = ask(world)
    entries = world.journal.entries("r2")
    (asked,) = [entry for entry in entries if entry.kind == "approval_requested"]
    assert asked.evidence["question"] == question


def test_who_answered_does_not_get_the_machines_token(world: World) -> None:
    ask(world)
    assert "token" not in msgspec.json.encode(answer(world, "approved")).decode()


# --- when nobody knows who asked


@pytest.fixture
def unasked(world: World) -> World:
    """A release whose execution was started by whoever had the right to."""
    world.begin()
    world.journal.store.releases["r2"] = msgspec.structs.replace(
        world.journal.read("r2"), requested_by="unknown"
    )
    ask(world)
    return world


def test_two_people_have_to_approve_what_nobody_is_known_to_have_asked_for(unasked: World) -> None:
    first = answer(unasked, "approved")
    assert (first.status, first.left) == ("pending", 1)
    assert first.words == "r2: platform-lead said yes; 1 more must say yes before it goes on"
    assert unasked.executions.answers == []
    assert unasked.journal.read("r2").status == "awaiting_approval"
    # The same person again, by another credential of theirs: still one person.
    assert answer(unasked, "approved", "slack:U00000001").status == "pending"
    assert unasked.executions.answers == []
    second = answer(unasked, "approved", OTHER_LEAD)
    assert (second.status, second.approvers) == ("approved", ("platform-lead", "product-lead"))
    assert unasked.executions.answers == [("token", "success")]
    assert unasked.journal.kinds("r2")[-2:] == ["approval_given", "approved"]
    assert unasked.journal.read("r2").status == "running"


def test_one_no_is_enough(unasked: World) -> None:
    answer(unasked, "approved")
    assert answer(unasked, "denied", OTHER_LEAD, reason="who started this?").status == "denied"
    assert unasked.executions.answers == [("token", "ApprovalDenied")]
    with pytest.raises(InvalidInput, match="denied by product-lead before"):
        answer(unasked, "approved")


def test_who_said_yes_may_think_better_of_it_while_it_waits(unasked: World) -> None:
    answer(unasked, "approved")
    assert answer(unasked, "denied", reason="I looked again").status == "denied"


def test_two_answers_at_the_same_moment_both_count(unasked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = unasked.approvals.answer

    def beaten(seen: Approval, after: Approval) -> bool:
        monkeypatch.setattr(unasked.approvals, "answer", store)
        answer(unasked, "approved", OTHER_LEAD)
        return store(seen, after)

    monkeypatch.setattr(unasked.approvals, "answer", beaten)
    assert answer(unasked, "approved").approvers == ("product-lead", "platform-lead")
    assert unasked.executions.answers == [("token", "success")]
