"""Approvals: who may answer, what an answer does, and that it counts once."""

from __future__ import annotations

import pytest

from candlefish.errors import InvalidInput, NotAllowed
from candlefish.release.decide_approval import ApprovalDecision, decide_approval, may_decide
from candlefish.release.model import Approval
from candlefish.release.payloads import ApprovalRequest
from candlefish.release.request_approval import request_approval
from tests.support.release_world import CATALOG, World, roll_back

LEAD = "arn:aws:iam::333333333333:user/platform-lead"
LEAD_BY_SSO = "arn:aws:sts::333333333333:assumed-role/AWSReservedSSO_Admin_0a1b/platform-lead"
OTHER_LEAD = "arn:aws:iam::333333333333:user/product-lead"
DEVELOPER = "arn:aws:iam::333333333333:user/developer"
STRANGER = "arn:aws:iam::333333333333:user/mallory"


def question(requested_by: str, four_eyes: bool = True) -> Approval:
    return Approval("r2", "production", "backend-api", "", requested_by, four_eyes, 1e12, "token")


@pytest.mark.parametrize(
    ("principal", "requested_by", "four_eyes", "allowed"),
    [
        (LEAD, "developer", True, True),
        (LEAD_BY_SSO, "developer", True, True),
        (LEAD, "github:candlefish-developer", True, True),
        (LEAD, "platform-lead", True, False),
        (LEAD, "github:candlefish-platform-lead", True, False),
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
        assert may_decide(question(requested_by, four_eyes), principal, CATALOG.people).approver
    else:
        with pytest.raises(NotAllowed):
            may_decide(question(requested_by, four_eyes), principal, CATALOG.people)


def ask(world: World) -> None:
    begun = world.begin()
    step = world.step(begun, "approve", within=600.0)
    fields = {name: getattr(step, name) for name in step.__struct_fields__}
    request_approval(
        ApprovalRequest(**fields, token="token"),
        approvals=world.approvals,
        records=world.records,
        journal=world.journal,
        now=world.clock,
    )


def answer(world: World, answer: str, principal: str = LEAD, reason: str = "looks good") -> Approval:
    return decide_approval(
        ApprovalDecision("r2", answer, reason),  # type: ignore[arg-type]
        principal=principal,
        catalog=world.catalog,
        approvals=world.approvals,
        records=world.records,
        executions=world.executions,
        journal=world.journal,
        now=world.clock,
    )


def test_the_token_is_kept_and_never_published(world: World) -> None:
    ask(world)
    assert world.approvals.read("r2").token == "token"
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
