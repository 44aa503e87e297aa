"""Whom a release asks on its way: the team's own hooks, and a person who answers by a button in Slack."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from candlefish.release.model import HookAnswer
from lab.simulator.wiring import SLACK_SECRET
from tests.support.catalogs import FIXTURES
from tests.support.scenario import SimulatedStage, simulated

SERVICE = "backend-api"
NO = HookAnswer(passed=False, reason="the schema has a breaking change")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A canary that asks a hook first, and a person at a half."""
    folder = tmp_path_factory.mktemp("asking") / "catalog"
    shutil.copytree(FIXTURES, folder)
    file = folder / "strategies.yaml"
    strategies = yaml.safe_load(file.read_text())
    strategies["canary"]["steps"] = [
        {"hook": {"name": "schema", "target": "candlefish-hook-schema", "within": "1m"}},
        {"weight": 50},
        {"approve": {"within": "8h"}},
        {"weight": 100},
    ]
    file.write_text(yaml.safe_dump(strategies, sort_keys=False))
    return folder


@pytest.fixture
def stage(catalog: Path) -> Iterator[SimulatedStage]:
    with simulated(catalog=catalog) as made:
        yield made


def test_a_hook_that_says_no_ends_the_release_before_any_user_sees_it(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    stage.site.stores.hooks.answer = NO
    release = stage.start(SERVICE, "1.2.0")
    ended = stage.ends(release)
    assert ended["error"] == "HookFailed"
    assert "hook schema said no: the schema has a breaking change" in ended["cause"]
    assert "shifted" not in stage.kinds(release)
    stage.settled(SERVICE, before)
    target, asked = stage.site.stores.hooks.asked[-1]
    assert (target, asked["image"]) == ("candlefish-hook-schema", stage.site.image(SERVICE, "1.2.0"))


def test_a_hook_that_is_not_there_is_no_yes(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    stage.site.stores.hooks.answer = None
    release = stage.start(SERVICE, "1.2.0")
    assert stage.ends(release)["error"] == "HookFailed"
    stage.settled(SERVICE, before)


def press(
    stage: SimulatedStage,
    release: str,
    user: str,
    *,
    action: str = "candlefish-approve",
    secret: str = SLACK_SECRET,
) -> tuple[int, dict[str, Any]]:
    """Click a button of the message in Slack; the status, and the request that Slack sent to us."""
    stage.site.until(lambda: stage.status(release) == "awaiting_approval", "the question")
    question = {"release": release, "question": stage.site.stores.approvals.stored[release].question}
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "actions": [{"action_id": action, "value": json.dumps(question)}],
    }
    body = urllib.parse.urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(stage.site.kernel.now()))
    signed = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    event = {
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={signed}"},
        "body": body,
    }
    return sent(stage, event), event


def sent(stage: SimulatedStage, event: dict[str, Any]) -> int:
    status: int = stage.site.call("press_button", event)["statusCode"]
    return status


def test_a_click_by_an_approver_answers_and_nothing_else_does(stage: SimulatedStage) -> None:
    release = stage.start(SERVICE, "1.1.0", by="product-lead")
    assert press(stage, release, "U00000001", secret="guessed")[0] == 403
    get = {"requestContext": {"http": {"method": "GET"}}, "headers": {}}
    assert sent(stage, get) == 400, "a GET never approves"
    # Slack's 200 means that we took the click; what came of it is said to the person who clicked.
    assert press(stage, release, "U00000003")[0] == 200, "no approver"
    assert press(stage, release, "U00000002")[0] == 200, "an approver, but the one who asked"
    assert press(stage, release, "U99999999")[0] == 200, "nobody in the catalog"
    assert stage.status(release) == "awaiting_approval"
    status, event = press(stage, release, "U00000001")
    assert status == 200
    assert stage.ends(release)["status"] == "SUCCEEDED"
    assert "hook_passed" in stage.kinds(release)
    (approved,) = [entry for entry in stage.site.entries(release) if entry.kind == "approved"]
    assert approved.by == "platform-lead"
    assert sent(stage, event) == 403, "the same request once more"
    stage.settled(SERVICE, "1.1.0")


def test_a_click_that_denies_takes_the_version_back(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    assert press(stage, release, "U00000002", action="candlefish-deny")[0] == 200
    assert stage.ends(release)["error"] == "ApprovalDenied"
    stage.settled(SERVICE, before)


def test_the_last_look_of_a_rollback_puts_right_what_somebody_changed_meanwhile(
    stage: SimulatedStage,
) -> None:
    before = stage.version(SERVICE)
    stage.site.stores.hooks.answer = None
    release = stage.start(SERVICE, "1.2.0")
    assert stage.ends(release)["error"] == "HookFailed"
    record = stage.settled(SERVICE, before)
    stage.site.ports["rules"].write(record.rule, dict.fromkeys(record.weights_by_target_group(), 50))
    # Asked at once: the reconciler, which looks every minute, has not been there.
    last = {"release": release, "environment": stage.environment, "service": SERVICE, "slot": "blue"}
    stage.site.call("finish_rollback", {**last, "generation": record.generation, "since": 0})
    assert stage.site.weights(record.rule) == record.weights_by_target_group()
