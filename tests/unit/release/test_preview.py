"""What a release would do, said before anything happens: objects, steps, refusals; nothing secret, nothing taken."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

import cli.plan
from candlefish.catalog.model import Catalog, Cron, Freeze, Job, Replicas, Resources, Stateful, Volume
from candlefish.catalog.parts import other_parts, parts_of
from candlefish.errors import InvalidInput, NotAllowed
from candlefish.release.configuration import configuration_of, configured
from candlefish.release.model import AskedFreeze
from candlefish.release.object_diff import object_differences, shaped_like
from candlefish.release.payloads import ReleaseRequest
from candlefish.release.preview import Preview, preview_release
from candlefish.release.record import AskedFreezes
from candlefish.release.request_release import Carried, ReleaseCommand, request_release
from candlefish.release.restore_traffic import take_back
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord
from candlefish.traffic.shares import rule_name
from cli.plan_view import in_markdown, in_text
from lab.memory.release import MemoryBundles
from lab.memory.service import MemoryRecords
from tests.support.catalogs import catalog
from tests.support.release_world import World
from tests.support.service import V1, fresh, image, released, rollback, take

SERVICE, NOW = "backend-api", 1_000_000.0


def with_limit(limit: str, **variables: str) -> Catalog:
    known = catalog()
    changed = msgspec.structs.replace(
        known.services[SERVICE],
        resources=Resources(cpu="100m", memory="128Mi", cpu_limit="1", memory_limit=limit),
        env=variables,
    )
    production = msgspec.structs.replace(known.environments["production"], overrides={})
    return msgspec.structs.replace(
        known,
        services={**known.services, SERVICE: changed},
        environments={**known.environments, "production": production},
    )


OLD, NEW = with_limit("512Mi", API_TOKEN="hunter2", LEVEL="info"), with_limit("768Mi", API_TOKEN="hunter3")
LIVE = configured(V1, SERVICE, "production", OLD)
SERVING = released(fresh(), "r1", LIVE, window=0)


def preview(
    record: ServiceRecord | None = SERVING, known: Catalog = NEW, given: str = image(1), **fields: Any
) -> Preview:
    request = ReleaseRequest(service=SERVICE, image=given, label="v1", reason="plan", **fields)
    version = configured(request.version, SERVICE, "production", known)
    return preview_release(
        request, record, version, environment="production", catalog=known, bundles=MemoryBundles(), now=NOW
    )


def test_a_changed_limit_is_one_changed_object_and_the_steps_of_the_environment() -> None:
    found = preview()
    assert found.differs
    assert [(each.kind, each.change) for each in found.objects] == [("Deployment", "changed")]
    (deployment,) = found.objects
    lines = [line[0] + line[1:].strip() for line in deployment.diff]
    assert '-memory: "512Mi"' in lines
    assert '+memory: "768Mi"' in lines
    assert found.changes == (
        "service.env.API_TOKEN changed",
        "service.env.LEVEL changed",
        'service.resources.memory_limit: "512Mi" becomes "768Mi"',
    )
    assert [step.words for step in found.steps][:3] == [
        "apply its objects",
        "wait until its Pods are ready and its targets healthy",
        "smoke test it at weight 0",
    ]
    assert any(step.asks for step in found.steps)
    assert found.longest == sum(step.within for step in found.steps) > 0
    assert found.refusals == ()


def test_a_stateful_service_is_shown_in_place_whatever_the_strategy_says() -> None:
    def ledger(limit: str) -> Catalog:
        known = with_limit(limit)
        one = msgspec.structs.replace(
            known.services[SERVICE],
            kind="stateful",
            host="",
            replicas=Replicas(min=3, max=3),
            stateful=Stateful(volumes=(Volume(name="data", path="/data", size="1Gi"),)),
        )
        return msgspec.structs.replace(known, services={**known.services, SERVICE: one})

    live = configured(V1, SERVICE, "production", ledger("512Mi"))
    empty = msgspec.structs.replace(fresh(), rule=rule_name("stateful", "shop", SERVICE))
    serving = released(empty, "r1", live, window=0)
    found = preview(serving, ledger("768Mi"))
    assert [(each.kind, each.change) for each in found.objects] == [("StatefulSet", "changed")]
    words = [step.words for step in found.steps]
    assert words[:2] == ["apply its objects", "wait until its Pods are ready and its targets healthy"]
    assert not [each for each in words if "shift" in each or "judge" in each or "smoke" in each]
    assert [each for each in words if each.startswith("watch it")]
    assert any(step.asks for step in found.steps), "the strategy's approvals hold"
    assert any("updated in place, whatever strategy canary says" in each for each in found.notes)
    assert found.slot == serving.stable
    assert found.refusals == ()


def test_its_jobs_are_among_the_steps() -> None:
    jobs = (Job(name="migrate", args=("--up",)), Job(name="warm", when="after", args=("--warm",)))
    service = msgspec.structs.replace(NEW.services[SERVICE], jobs=jobs)
    found = preview(known=msgspec.structs.replace(NEW, services={**NEW.services, SERVICE: service}))
    words = [step.words for step in found.steps]
    assert words[0] == "run job migrate, once, and wait for its end"
    assert words[-1] == "run job warm, once, and wait for its end"
    assert words[1] == "apply its objects"


def with_cron(known: Catalog, *cron: Cron) -> Catalog:
    changed = msgspec.structs.replace(known.services[SERVICE], cron=cron)
    return msgspec.structs.replace(known, services={**known.services, SERVICE: changed})


def test_what_runs_by_the_clock_is_shown_with_what_it_runs() -> None:
    daily = Cron(name="report", schedule="30 3 * * *", args=("--report",))
    later = msgspec.structs.replace(daily, schedule="0 5 * * *")
    made = preview(known=with_cron(OLD, daily)).objects
    assert {(each.kind, each.name, each.change) for each in made} == {
        ("NetworkPolicy", "backend-api-cron", "created"),
        ("CronJob", "backend-api-report", "created"),
    }
    serving = released(fresh(), "r1", configured(V1, SERVICE, "production", with_cron(OLD, daily)), window=0)
    (moved,) = preview(serving, with_cron(OLD, later)).objects
    assert [line[1:].strip() for line in moved.diff if line[0] in "+-"] == [
        'schedule: "30 3 * * *"',
        'schedule: "0 5 * * *"',
    ]
    gone = preview(serving, OLD)
    assert ("CronJob", "left behind") in {(each.kind, each.change) for each in gone.objects}
    assert any("CronJob backend-api-report is suspended" in note for note in gone.notes)


def test_what_cannot_be_asked_has_no_smoke_test_among_its_steps() -> None:
    service = msgspec.structs.replace(NEW.services[SERVICE], protocol="grpc")
    found = preview(known=msgspec.structs.replace(NEW, services={**NEW.services, SERVICE: service}))
    assert "smoke test it at weight 0" not in [step.words for step in found.steps]


def test_what_is_secret_by_its_name_is_seen_to_change_and_not_shown() -> None:
    text = in_text(preview()) + in_markdown(preview()) + json.dumps(msgspec.to_builtins(preview()))
    assert "hunter" not in text
    assert "(not shown, 1)" in text
    assert "(not shown, 2)" in text


def test_what_runs_as_it_is_asked_for_is_nothing_to_do() -> None:
    found = preview(known=OLD)
    assert not found.differs
    assert found.objects == found.changes == found.refusals == ()
    assert any("already the stable version" in note for note in found.notes)
    assert "nothing to do" in in_text(found)
    assert "Steps" not in in_text(found)


def test_a_new_image_is_a_difference_with_the_same_configuration() -> None:
    found = preview(known=OLD, given=image(2))
    assert found.differs
    assert found.configuration == found.replaces_configuration
    assert [each.kind for each in found.objects] == ["Deployment"]


def test_a_first_version_makes_everything() -> None:
    found = preview(fresh())
    assert {each.change for each in found.objects} == {"created"}
    assert len(found.objects) >= 6
    assert not any(step.asks for step in found.steps), "there is nobody to protect"
    assert found.window == 0


@pytest.mark.parametrize(
    ("record", "fields", "words"),
    [
        (None, {}, "is not onboarded"),
        (take(SERVING, "r7", Version(image(7))), {}, "held by release r7"),
        (rollback(take(SERVING, "r7", Version(image(7)))), {}, "is being rolled back"),
        (SERVING, {"given": "ghcr.io/else/x@sha256:" + "a" * 64}, "runs images of"),
        (SERVING, {"replaces": image(5)}, f"while {image(5)} was stable"),
    ],
    ids=["nobody", "held", "going back", "foreign", "overtaken"],
)
def test_what_would_be_refused_is_said_and_the_rest_is_shown(
    record: ServiceRecord | None, fields: dict[str, Any], words: str
) -> None:
    found = preview(record, **fields)
    assert any(words in refusal for refusal in found.refusals)
    assert found.steps


def test_a_freeze_and_a_bad_version_are_both_said() -> None:
    bad = configured(V1, SERVICE, "production", NEW)
    taken = msgspec.structs.replace(rollback(take(SERVING, "r7", bad)), rollback=None, holder=None)
    closed = Freeze(name="sale", start="1970-01-01T00:00", end="2099-01-01T00:00", reason="everybody buys")
    production = msgspec.structs.replace(NEW.environments["production"], freezes=(closed,))
    frozen = msgspec.structs.replace(NEW, environments={**NEW.environments, "production": production})
    found = preview(taken, frozen)
    assert [any(word in each for each in found.refusals) for word in ("everybody buys", "rolled back")] == [
        True,
        True,
    ]
    assert preview(taken, frozen, break_glass="fire", allow_bad=True).refusals == ()


def test_what_a_person_froze_is_said() -> None:
    asked = AskedFreezes("production", 1, (AskedFreeze(SERVICE, "an incident", "ada", NOW - 1, NOW + 60),))
    version = configured(V1, SERVICE, "production", NEW)
    found = preview_release(
        ReleaseRequest(service=SERVICE, image=V1.image, reason="plan"),
        SERVING,
        version,
        environment="production",
        catalog=NEW,
        bundles=MemoryBundles(),
        now=NOW,
        frozen=asked,
    )
    assert any("by ada (an incident)" in each for each in found.refusals)


def test_a_version_of_older_code_is_said_to_have_none() -> None:
    found = preview(released(fresh(), "r1", V1, window=0))
    assert not found.differs
    assert any("wrote no configuration down" in note for note in found.notes)


def test_what_a_chart_leaves_out_is_left_behind() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
    other = {**config, "metadata": {"name": "y"}}
    found = object_differences([config, other], [config])
    assert [(each.name, each.change) for each in found] == [("y", "left behind")]


def test_what_servers_filled_in_is_no_difference() -> None:
    wanted = {"spec": {"ports": [{"name": "http", "port": 80}], "list": [1, 2]}}
    live = {"status": 1, "spec": {"ports": [{"name": "http", "port": 80, "nodePort": 3}], "list": [1, 3]}}
    assert shaped_like(live, wanted) == {"spec": {"ports": [{"name": "http", "port": 80}], "list": [1, 3]}}


def test_markdown_is_no_markup_of_others() -> None:
    found = msgspec.structs.replace(preview(), notes=("@channel <script>", "a | b"))
    text = in_markdown(found)
    assert "@channel" not in text
    assert "<script>" not in text


# --- what the stack carries ------------------------------------------------------------------


def test_the_endpoint_says_what_its_stack_carries_and_starts_nothing(world: World) -> None:
    def look(principal: str) -> Any:
        return request_release(
            ReleaseCommand("release", "look", {"service": SERVICE}, look=True),
            principal=principal,
            environment="production",
            catalog=world.catalog,
            requesters=world.requesters,
            executions=world.executions,
            take_back=partial(take_back, rules=world.rules, now=world.clock),
            records=world.records,
            now=world.clock,
        )

    found = look("arn:aws:iam::333333333333:user/developer")
    assert found.configuration == configuration_of(SERVICE, "production", world.catalog)
    assert found.parts == parts_of(world.catalog)
    assert (world.executions.started, world.requesters.asked) == ([], {})
    with pytest.raises(NotAllowed):
        look("arn:aws:iam::333333333333:user/mallory")


def test_catalogs_differ_in_the_parts_that_somebody_changed() -> None:
    assert other_parts(parts_of(OLD), parts_of(NEW)) == (f"services/{SERVICE}",)
    assert other_parts(parts_of(OLD), parts_of(OLD)) == ()


# --- the command -----------------------------------------------------------------------------


class Stack:
    """A stack with one record, which carries a catalog or does not answer."""

    environment = "production"

    def __init__(self, carries: Catalog | None) -> None:
        self.carries = carries

    def freezes(self) -> AskedFreezes:
        return AskedFreezes("production")

    def records(self) -> MemoryRecords:
        return MemoryRecords(SERVING)

    def look(self, service: str) -> Any:
        if self.carries is None:
            raise InvalidInput("the door is closed")
        text = configuration_of(service, "production", self.carries)
        return msgspec.to_builtins(Carried(service, text, parts_of(self.carries)))


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the command with a catalog of this checkout and one of the stack."""

    def call(*arguments: str, local: Catalog = NEW, carries: Catalog | None = NEW) -> tuple[int, str]:
        monkeypatch.setattr("candlefish.catalog.load.load", lambda folder: local)
        monkeypatch.setattr("cli.options.Stack", lambda environment, region: Stack(carries))
        result = CliRunner().invoke(cli.plan.plan_command, [SERVICE, "-e", "production", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return call


def test_the_exit_code_says_more_only_when_it_is_asked_to(plan: Any) -> None:
    assert plan()[0] == 0
    assert plan("--detailed-exitcode")[0] == 2
    assert plan("--detailed-exitcode", local=OLD, carries=OLD)[0] == 0


def test_a_stack_with_another_catalog_is_said(plan: Any) -> None:
    _, text = plan(carries=OLD)
    assert "the stack carries another configuration" in text
    assert "make deploy ENV=production" in text
    assert f"services/{SERVICE}" in text
    _, text = plan("--stack", carries=OLD)
    assert "nothing to do" in text


def test_a_stack_that_does_not_answer_is_not_guessed_about(plan: Any) -> None:
    assert "what the stack carries is not known (the door is closed)" in plan(carries=None)[1]
    with pytest.raises(InvalidInput, match="the door is closed"):
        plan("--stack", carries=None)


def test_json_is_the_preview(plan: Any) -> None:
    found = json.loads(plan("--json")[1])
    assert found["differs"] is True
    assert found["objects"][0]["kind"] == "Deployment"
    assert found["configuration"] == configured(V1, SERVICE, "production", NEW).configuration_digest
