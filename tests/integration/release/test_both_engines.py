"""Every whole release ends alike in the lab and in virtual time, down to the timeline's entries.

The lab's catalog has shorter steps, so what is compared tells no times. Its stories go on side by side, where they
share no service, in one lab with three environments; in virtual time each has an environment of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.scenes import helm_chart
from lab.traffic.load import Load
from tests.support.scenario import simulated
from tests.support.stage import SERVICES, Stage, running, shorter_steps, under_load
from tests.support.stories import STORIES, Ending, Play

pytestmark = pytest.mark.long

ENVIRONMENTS = ("development", "staging", "production")
Told = dict[str, "Future[list[Ending]]"]


class Telling:
    """All stories: how they end in virtual time, and as they are told in one lab."""

    def __init__(
        self, simulated: dict[str, list[Ending]], told: Told, loads: dict[str, Load], stages: dict[str, Stage]
    ) -> None:
        self.simulated, self.told, self.loads, self.stages = simulated, told, loads, stages


def patient(folder: Path) -> Path:
    """Shorter steps, but for the judge, who has little traffic to judge by."""
    shorter_steps(folder)
    file = folder / "strategies.yaml"
    file.write_text(file.read_text().replace("at_most: 8m", "at_most: 30m"))
    return folder


@contextmanager
def telling(folder: Path) -> Iterator[Telling]:
    # Before the lab is there: while it runs, the simulator has this process's environment to itself no more.
    ends = {play.__name__: in_virtual_time(where, service, play) for where, service, play in STORIES}
    with running(folder, ENVIRONMENTS, SERVICES, catalog=patient) as world, ExitStack() as stack:
        stages = {name: Stage(world, name) for name in ENVIRONMENTS}
        rates = {"development": 30.0, "staging": 30.0, "production": 120.0}
        loads = {name: stack.enter_context(under_load(stages[name], rate)) for name, rate in rates.items()}
        told: Told = {play.__name__: Future() for _, _, play in STORIES}
        lanes: dict[tuple[str, str], list[tuple[str, Play]]] = defaultdict(list)
        for environment, service, play in STORIES:
            # A train has every service of its environment.
            lanes[environment, service if environment == "production" else ""].append((service, play))
        pool = stack.enter_context(ThreadPoolExecutor(len(lanes)))
        for (environment, _), plays in lanes.items():
            pool.submit(tell, stages[environment], plays, told)
        yield Telling(ends, told, loads, stages)


def in_virtual_time(environment: str, service: str, play: Play) -> list[Ending]:
    with simulated(environment) as stage:
        return play(stage, service)


def tell(stage: Stage, plays: list[tuple[str, Play]], told: Told) -> None:
    """Tell some stories one after the other; what goes wrong is the test's of that story."""
    for service, play in plays:
        try:
            told[play.__name__].set_result(play(stage, service))
        except BaseException as error:  # noqa: BLE001
            told[play.__name__].set_exception(error)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    """One telling, whichever of the stories fails."""
    with telling(tmp_path_factory.mktemp("lab")) as told:
        yield told


@pytest.mark.parametrize("story", [play.__name__ for _, _, play in STORIES])
def test_both_engines_end_alike(lab: Telling, story: str) -> None:
    told = lab.told[story].result()
    assert "\n".join(map(Ending.text, told)) == "\n".join(map(Ending.text, lab.simulated[story]))


def test_no_user_saw_a_failure_that_a_version_did_not_cause(lab: Telling) -> None:
    for told in lab.told.values():
        told.exception()
    for name, load in lab.loads.items():
        failed = {s.version or f"nobody ({s.status} {s.error})" for s in load.stop() if s.failed}
        assert failed <= ({"judged-bad"} if name == "production" else set())


def test_development_goes_back_in_place_to_what_came_as_a_bundle(lab: Telling) -> None:
    for told in lab.told.values():
        told.exception()
    stage, service = lab.stages["development"], "api-gateway"
    documents = helm_chart.rendered(service, stage.world.image(service, "1.2.0"))
    bundle = helm_chart.upload(stage.client("s3"), stage.site.stack.outputs["BundlesBucket"], documents)
    # Whatever runs by now, as a bundle it is another version.
    assert stage.ends(stage.start(service, "1.2.0", **bundle))["status"] == "SUCCEEDED"
    assert stage.ends(stage.start(service, "crash", allow_bad=True))["error"] == "RolloutFailed"
    stage.settled(service, "1.2.0")
