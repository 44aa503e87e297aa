"""Shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.labs import Labs

for name, value in (
    ("AWS_DEFAULT_REGION", "us-west-2"),
    ("AWS_ACCESS_KEY_ID", "testing"),
    ("AWS_SECRET_ACCESS_KEY", "testing"),
):
    os.environ.setdefault(name, value)

settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("project")


# The modules that take minutes, longest first: workers that share the rest come to their ends together.
LONGEST = (
    "test_strategies",
    "test_failures",
    "test_signals",
    "test_people",
    "test_deploy_page",
    "test_recovery_lab",
    "test_rollback_anywhere",
    "test_judge",
    "test_train_at_night",
    "test_signals_paths",
    "test_night",
    "test_github",
    "test_questions",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A unit test that opens a socket fails; everything else may use loopback.

    The lab runs minutes in seconds, so a machine that is busy for one can time a test out. Such a test
    gets up to two more tries, which the summary counts as a rerun; a unit or contract test gets none.
    """
    items.sort(key=lambda item: [item.path.stem != longest for longest in LONGEST])
    for item in items:
        if "/unit/" in str(item.path):
            item.add_marker(pytest.mark.disable_socket)
        elif "/integration/" in str(item.path) or "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.flaky(reruns=2))


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
