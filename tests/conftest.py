"""Shared by all tests."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import durations
from tests.support.labs import Labs
from tests.support.turns import turn

ROOT = Path(__file__).parents[1]

for name, value in (
    ("AWS_DEFAULT_REGION", "us-west-2"),
    ("AWS_ACCESS_KEY_ID", "testing"),
    ("AWS_SECRET_ACCESS_KEY", "testing"),
    # What a command says of its progress depends on how slow the machine is.
    ("CANDLEFISH_QUIET", "1"),
    # pytest's own `pythonpath` ends with this process; the commands that tests start find the package, too.
    ("PYTHONPATH", f"{ROOT}/layers/control_plane:{ROOT}"),
):
    os.environ.setdefault(name, value)

settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("project")


HERE = Path(__file__).parent
LABS = ("integration", "e2e")
WITHOUT_SOCKETS = ("unit", "scenarios")
# Held by a worker while it is in a module of labs.
TURN = pytest.StashKey[ExitStack]()
# Seconds by module; workers report to the one process that has no workerinput.
TOOK: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    TOOK[report.nodeid.partition("::")[0]] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        durations.remember(TOOK)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """A worker that shares the machine with others begins with a module of labs when it is its turn."""
    stash = item.config.stash
    run = getattr(item.config, "workerinput", {}).get("testrunuid")
    if run and TURN not in stash and item.get_closest_marker("lab"):
        stash[TURN] = ExitStack()
        stash[TURN].enter_context(turn(Path(tempfile.gettempdir()) / f"candlefish-turns-{run}"))
    result = yield
    if TURN in stash and (nextitem is None or nextitem.path != item.path):
        stash[TURN].close()
        del stash[TURN]
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers must agree on the order of tests."""
    node.workerinput["known"] = durations.known_to(node.config.stash)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A unit test or scenario that opens a socket fails; a test in a folder of the labs is for `make test-lab`."""
    known = config.workerinput["known"] if hasattr(config, "workerinput") else durations.measured()
    items.sort(key=lambda item: durations.place(item.path, item.config.rootpath, known))
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in WITHOUT_SOCKETS:
            item.add_marker(pytest.mark.disable_socket)
        elif folder in LABS and not item.get_closest_marker("loopback"):
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """What the tests of a module share."""
    made = Labs(lambda: tmp_path_factory.mktemp("lab"))
    yield made
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A lab in which a test failed is not used again."""
    report = yield
    shared = getattr(item, "funcargs", {}).get("labs")
    if report.failed and shared is not None:
        shared.spoiled = True
    return report
