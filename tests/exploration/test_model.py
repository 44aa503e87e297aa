"""What the exploration's world says of the real one: answers, deaths, late writes, the cluster's conditions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from candlefish.service.record import intend_weight
from tests.exploration.actors import Troupe
from tests.exploration.acts import act
from tests.exploration.beginnings import NOW, live, migration_made, serving, shifting, taken
from tests.exploration.cluster import Asked, Stored, ask, slot_of
from tests.exploration.jobs import MIGRATE, WITHIN, Jobs, deleted, request, suspended
from tests.exploration.machines import At, End, Failure, Task, Walker
from tests.exploration.moves import Moves
from tests.exploration.ports import NoAnswer
from tests.exploration.product import Asks, Product, Raises, Returns, product
from tests.exploration.subject import ENVIRONMENT, NAMESPACE, SERVICE, decode, encode, record_of
from tests.exploration.world import Budget, Effects, Flying, State, passed


@pytest.fixture
def of() -> Iterator[Product]:
    found = product()
    with found.running():
        yield found


def promote(of: Product, *answers: object) -> Asks | Returns | Raises:
    payload = {
        "release": "release2",
        "environment": ENVIRONMENT,
        "service": SERVICE,
        "generation": 2,
        "slot": "blue",
        "required": 5,
        "window": 60.0,
    }
    return of.next_of(of.arn("promote_release"), encode(payload), NOW, answers)


# --- functions --------------------------------------------------------------------------------


def test_a_function_asks_until_it_has_its_answers(of: Product) -> None:
    assert promote(of) == Asks(("record.get",))
    ended = promote(of, encode(live()))
    assert isinstance(ended, Raises) and (ended.error, ended.retryable) == ("StaleGeneration", False)


def test_a_write_that_somebody_was_faster_with_is_tried_again(of: Product) -> None:
    stored = encode(intend_weight(taken(), generation=2, slot="blue", weight=100))
    put = promote(of, stored)
    assert isinstance(put, Asks) and put.op[0] == "record.put"
    assert promote(of, stored, False) == Asks(("record.get",))


def test_no_answer_is_an_error_that_is_tried_again(of: Product) -> None:
    ended = promote(of, NoAnswer())
    assert isinstance(ended, Raises) and (ended.error, ended.retryable) == ("Unavailable", True)


# --- machines ---------------------------------------------------------------------------------


def walker(of: Product, name: str) -> Walker:
    return Walker(next(each for each in of.machines.values() if each.name == name))


def at(state: str) -> At:
    return At(state, b"{}", encode({"run": {}, "next": {}, "release": "r", "service": "s"}))


@pytest.mark.parametrize(
    ("failure", "to"),
    [
        (Failure("Unavailable", ""), "Deploy"),
        (Failure("Unavailable", "", for_good=True), "RollBack"),
        (Failure("ClusterRefused", ""), "RollBack"),
    ],
)
def test_what_fails_is_tried_again_or_caught(of: Product, failure: Failure, to: str) -> None:
    step = walker(of, "release").failed("r", at("Deploy"), failure, NOW)
    assert isinstance(step, Task) and step.at.state == to


def test_whoever_was_superseded_ends(of: Product) -> None:
    step = walker(of, "release").failed("r", at("Deploy"), Failure("StaleGeneration", ""), NOW)
    assert step == End("FAILED")


# --- the cluster ------------------------------------------------------------------------------


def deployment(of: Product) -> Stored:
    return serving(Troupe(of)).objects[2]


def patch(stored: Stored, **body: object) -> tuple[Stored, int]:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{SERVICE}-green"
    asked = Asked(
        "PATCH", "deployments", f"{SERVICE}-green", path, (), encode(body), "application/merge-patch+json"
    )
    after, answer = ask(stored, asked, NAMESPACE)
    return after, answer.status


def test_a_write_is_conditional_on_the_version_that_it_names(of: Product) -> None:
    before = deployment(of)
    after, code = patch(before, metadata={"resourceVersion": str(before.version)}, spec={"replicas": 9})
    assert (code, slot_of(after, Stored()).replicas) == (200, 9)

    unchanged, code = patch(after, metadata={"resourceVersion": str(before.version)}, spec={"replicas": 0})
    assert (code, unchanged) == (409, after)


def test_no_version_comes_twice_even_for_an_object_that_was_deleted(of: Product) -> None:
    troupe = Troupe(of)
    state = serving(troupe)
    gone = act(troupe, state, "delete the autoscaler of green").objects[3]
    assert not gone.body and gone.version > state.objects[3].version


# --- Jobs -------------------------------------------------------------------------------------


@pytest.fixture
def made() -> Iterator[State]:
    """A migration is made."""
    found = product("jobs")
    with found.running():
        yield migration_made(Troupe(found))


def resumed(jobs: Jobs) -> Jobs:
    (job,) = jobs
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{job.name}"
    sent = encode({"spec": {"suspend": False}})
    return request(
        jobs, Asked("PATCH", "jobs", job.name, path, (), sent, "application/merge-patch+json"), NOW
    )[0]


def test_a_job_begins_when_it_is_suspended_no_more(made: State) -> None:
    assert [(job.release, job.step, job.made, job.began) for job in made.jobs] == [
        ("release2", MIGRATE, 1, 0)
    ]
    again = suspended(resumed(made.jobs), "release2", NOW)
    assert [(job.began, job.since) for job in resumed(again)] == [(2, NOW)]


def test_the_cluster_ends_a_job_whose_time_is_over(made: State) -> None:
    running = made._replace(jobs=resumed(made.jobs))
    ((before,), (after,)) = (passed(running, NOW + WITHIN + more).jobs for more in (-1, 0))
    assert (before.ended, after.ended, after.since) == (None, "failed", 0.0)


def test_another_job_of_its_name_has_another_uid(made: State) -> None:
    (job,) = made.jobs
    body = decode(job.stored.body)
    sent = encode({**body, "metadata": {**body["metadata"], "resourceVersion": ""}})
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    asked = Asked("POST", "jobs", job.name, path, (), sent, "application/json")
    assert request(made.jobs, asked, NOW)[1].status == 409
    (other,), answer = request(deleted(made.jobs, "release2"), asked, NOW)
    assert (answer.status, other.made, other.deleted) == (201, 2, 1)
    assert decode(other.stored.body)["metadata"]["uid"] != body["metadata"]["uid"]


# --- deaths, late writes, time ----------------------------------------------------------------


def test_a_function_that_dies_with_a_write_in_flight_leaves_it_flying(of: Product) -> None:
    troupe = Troupe(of)
    moves = Moves(troupe)
    state = shifting(troupe)._replace(left=Budget(crashes=1))
    for _ in range(4):
        state = moves.step(state, 0, troupe.asks(state.actors[0])).to  # type: ignore[arg-type]
    (flying,) = {
        move.to.flying for move in moves(state) if "with it in flight" in move.what() and not move.wrong
    }

    assert flying == (Flying(("rule.write", 100, 0), NOW + of.functions[of.arn("shift_weights")].timeout),)


def test_time_waits_for_what_is_in_flight(of: Product) -> None:
    troupe = Troupe(of)
    moves, state = Moves(troupe), serving(troupe)
    state = state._replace(flying=(Flying(("rule.write", 100, 0), NOW + 20),))

    assert moves.can_pass(state, NOW + 19) and not moves.can_pass(state, NOW + 20)


def test_requests_are_under_way_for_a_while_after_the_weight_is_gone(of: Product) -> None:
    troupe = Troupe(of)
    effects, state = Effects(troupe), serving(troupe)
    state, _ = effects.do(state, ("rule.write", 100, 0))

    assert effects.do(state, ("traffic", "green"))[1]
    assert not effects.do(passed(state, NOW + 20), ("traffic", "green"))[1]


def test_a_late_write_of_a_record_finds_its_revision_gone(of: Product) -> None:
    troupe = Troupe(of)
    state, answer = Effects(troupe).do(serving(troupe), ("record.put", encode(taken()), 4))

    assert answer is False and record_of(state.record).generation == 1
