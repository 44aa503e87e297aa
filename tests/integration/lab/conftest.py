"""One AWS for the tests of the lab itself, and small helpers around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.aws.load_balancing import Traffic
from lab.aws.server import Aws
from tests.support.lab_account import Account
from tests.support.street import Street


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    lab = Aws(tmp_path_factory.mktemp("lab"), time_scale=60)
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture(scope="package")
def account(aws: Aws) -> Account:
    return Account(aws)


@pytest.fixture(scope="module")
def street(aws: Aws, account: Account) -> Iterator[Street]:
    traffic = Traffic(time_scale=60)
    traffic.start()
    yield Street(account, traffic)
    traffic.close()


@pytest.fixture(autouse=True)
def _no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "aws" in request.fixturenames or "account" in request.fixturenames:
        request.getfixturevalue("aws").faults.clear()


@pytest.fixture
def code(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "app.py").write_text(text)
        return str(tmp_path)

    return write
