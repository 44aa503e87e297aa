"""After users were led to another region a person is told whose CronJobs run in the one that they left as well."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.catalog.model import Cron
from candlefish.failover.facts import FailoverWorld, SiteFacts, SiteServiceFacts
from candlefish.failover.model import Run
from candlefish.failover.steps.application import cron_in_both
from candlefish.release.configuration import configured
from tests.support.failover.catalog import AWAY, CATALOG, ENVIRONMENT, HOME
from tests.support.failover.play import Play
from tests.support.failover.site import first_record, version, with_site
from tests.support.failover.world import World

DONE = "every step of the plan is done"


def ended(cron: tuple[Cron, ...]) -> tuple[Run, list[str]]:
    """A failover of the application in which the service `api` has these CronJobs, and its timeline's ends."""
    api = msgspec.structs.replace(CATALOG.services["api"], cron=cron)
    catalog = msgspec.structs.replace(CATALOG, services={**CATALOG.services, "api": api})
    world = World()
    site = with_site(world)
    site.stable.write("api", configured(version("api"), "api", ENVIRONMENT.name, catalog), world.clock())
    world.beats()
    scene = Play(world)
    if scene.request("application", "application").run.open_questions:
        scene.approve("application")
    run = scene.drive("application")
    return run, [each.reason for each in scene.store.entries(run) if each.kind == "done"]


def test_the_end_of_a_failover_says_which_and_what_to_do() -> None:
    run, told = ended((Cron(name="report", schedule="@daily", args=("--report",)),))
    assert run.status == "done" and told == [run.why]
    assert run.why.startswith(
        f"{DONE}; CronJobs that api may have run in {AWAY} by now, and in {HOME} as long as"
    )
    assert f"kubectl -n {ENVIRONMENT.namespace} patch cronjob NAME" in run.why


def test_where_nothing_runs_by_the_clock_nothing_is_said() -> None:
    run, told = ended(())
    assert (run.status, run.why, told) == ("done", DONE, [DONE])


@pytest.mark.parametrize(("to", "left"), [(AWAY, HOME), (HOME, AWAY)])
def test_a_record_that_cannot_be_read_may_have_some_and_the_way_home_leaves_some_too(
    to: str, left: str
) -> None:
    run, _ = ended(())
    unknown = SiteServiceFacts("web", unreadable={"record": "throttled"})
    site = SiteFacts(
        to, "", services={"web": unknown, "api": SiteServiceFacts("api", record=first_record("api"))}
    )
    world = FailoverWorld(at=0.0, databases={}, caches={}, site=site)
    said = cron_in_both(msgspec.structs.replace(run, to=to), world, ENVIRONMENT)
    assert said.startswith(f"CronJobs that web may have run in {to} by now, and in {left} ")
    database = msgspec.structs.replace(run, steps=())
    assert cron_in_both(database, world, ENVIRONMENT) == ""
