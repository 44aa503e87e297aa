"""Commands that show: `--json` is the view as it is served, and the text is drawn from the same view."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

import cli.cost
import cli.recovery
from candlefish.catalog.load import load
from candlefish.errors import Unavailable
from candlefish.views.model import RecoveryView, SignalsPage, SignalView
from cli.__main__ import candlefish
from cli.stack import Stack
from cli.views import Views
from tests.support.catalogs import FIXTURES
from tests.support.views import HOSTILE, NOW, SAMPLES, sample_text

COMMANDS = {
    ("signals",): "signals",
    ("recovery", "report"): "recovery",
    ("cost",): "cost",
    ("audit",): "audit",
}


class Served(list[tuple[str, str, dict[str, str]]]):
    """What was asked for: region, path, query. `answers` by region or path, else the sample of the path's last name."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    def text(self, views: Views, path: str, **query: str) -> bytes:
        region = views._stack.region
        self.append((region, path, {name: value for name, value in query.items() if value}))
        answer = self.answers.get(region, self.answers.get(path))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return msgspec.json.encode(answer) if answer else sample_text(path.rpartition("/")[2]).encode()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    made = Served()
    monkeypatch.setattr(Views, "text", lambda views, path, **query: made.text(views, path, **query))
    for module in (cli.cost, cli.recovery):
        monkeypatch.setattr(module, "CATALOG", FIXTURES)
    monkeypatch.setattr(cli.recovery, "peer_region", lambda env, region: "")
    monkeypatch.setattr(Stack, "client", lambda *given: pytest.fail("more than the view was asked for"))
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(candlefish, [*words, "-e", "production"], env={"COLUMNS": "200"})


@pytest.mark.parametrize(("words", "name"), COMMANDS.items(), ids=lambda each: "-".join(each))
def test_json_is_the_view_as_it_is_served(served: Served, words: tuple[str, ...], name: str) -> None:
    shown = run(*words, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["older" if name in ("signals", "audit") else "now"]
    if name != "signals":
        assert json.loads(shown.stdout) == json.loads(sample_text(name))
    assert {path for _, path, _ in served} == {f"/v1/{name}"}


def page(count: int, older: str = "", start: int = 0, **more: Any) -> SignalsPage:
    made = [
        SignalView(NOW - n, f"a{n}", "P1", "x", "firing", f"a{n} fires", "info", "none", "why", about=f"service/s{n % 2}", acted=n % 3 == 0)
        for n in range(start, start + count)
    ]  # fmt: skip
    return SignalsPage(older, tuple(made), **more)


def test_so_many_signals_are_read_on_for_and_the_next_page_begins_after_them(served: Served) -> None:
    served.answers["/v1/signals"] = [page(50, "1#a", automation_off="a move"), page(20, "2#b", 50)]
    said = json.loads(run("signals", "--limit", "70", "--json").stdout)
    assert [each["name"] for each in said["signals"]] == [f"a{n}" for n in range(70)]
    assert (said["older"], said["automation_off"]) == ("2#b", "a move")
    assert [query for _, _, query in served] == [{"limit": "50"}, {"limit": "20", "before": "1#a"}]


def test_signals_of_one_subject_that_led_to_something_are_looked_for_so_far(served: Served) -> None:
    served.answers["/v1/signals"] = [page(4, f"{n}#a", 4 * n) for n in range(40)]
    said = json.loads(run("signals", "--about", "service/s0", "--acted", "--limit", "5", "--json").stdout)
    assert [each["name"] for each in said["signals"]] == [f"a{n}" for n in range(0, 30, 6)]
    served.clear()
    assert "no signals" in run("signals", "--about", "service/none").stdout
    assert len(served) == 20


def test_a_page_of_signals_goes_on_where_it_is_said(served: Served) -> None:
    shown = run("signals", "--limit", "3", "--before", "7#x").stdout
    assert served[0][2] == {"before": "7#x", "limit": "3"}
    assert "P1; service/gateway; hold" in shown and "is muted by developer" in shown


def test_a_target_has_its_failovers_and_the_newest_its_timeline(served: Served) -> None:
    shown = run("recovery", "report", "cache/sessions").stdout
    assert "us-west-2 does not answer (platform-lead)" in shown and "drill-20261127" not in shown
    runs = json.loads(run("recovery", "report", "cache/sessions", "--json").stdout)["runs"]
    assert [each["target"] for each in runs] == ["cache/sessions"]
    assert "no failover of database/x is among the newest" in run("recovery", "report", "database/x").stdout


def test_both_regions_are_asked_and_one_that_is_silent_is_said(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.recovery, "peer_region", lambda env, region: "us-east-1")
    home = load(FIXTURES).environments["production"].region
    sample = SAMPLES["recovery"]()
    assert isinstance(sample, RecoveryView)
    served.answers["us-east-1"] = replace(sample, says="seen from there")
    shown = run("recovery", "report")
    assert shown.stdout.index(home) < shown.stdout.index("us-east-1") < shown.stdout.index("seen from there")
    served.clear()
    assert "seen from there" in run("recovery", "report", "--region", "us-east-1").stdout
    assert [region for region, *_ in served] == ["us-east-1"]
    served.answers[home] = Unavailable("it is gone")
    shown = run("recovery", "report", "--json")
    assert shown.exit_code == 0 and f"{home} is left out: it is gone" in shown.stderr
    assert json.loads(shown.stdout)["says"] == "seen from there"
    served.answers["us-east-1"] = Unavailable("and it, too")
    assert isinstance(run("recovery", "report").exception, Unavailable)


def test_the_audit_of_backups_ends_with_1_where_something_is_not_well(served: Served) -> None:
    shown = run("recovery", "audit")
    assert shown.exit_code == 1
    assert "recovery-copy of bucket/uploads" in shown.stdout and "1 of 2 rules pass" in shown.stdout
    assert "snapshot-age" not in shown.stdout and "snapshot-age" in run("recovery", "audit", "--all").stdout
    assert json.loads(run("recovery", "audit", "--json").stdout)["kind"] == "audit"
    sample = SAMPLES["recovery"]()
    assert isinstance(sample, RecoveryView)
    well = tuple(replace(each, evidence={"findings": [], "passed": []}) for each in sample.runs)
    served.answers["/v1/recovery"] = replace(sample, runs=well)
    assert run("recovery", "audit").exit_code == 0
    served.answers["/v1/recovery"] = replace(sample, runs=())
    never = run("recovery", "audit")
    assert never.exit_code == 1 and "were never audited; run it with --now" in never.stderr


def test_an_environment_that_is_silent_is_said_and_no_cost_at_all_is_no_success(served: Served) -> None:
    served.answers["/v1/cost"] = [Unavailable("it is gone"), SAMPLES["cost"]()]
    shown = CliRunner().invoke(candlefish, ["cost", "-e", "staging", "-e", "production", "--json"])
    assert shown.exit_code == 0 and "staging: it is gone" in shown.stderr
    assert json.loads(shown.stdout)["forecast"] == 1034.0
    served.answers["/v1/cost"] = Unavailable("it is gone")
    assert isinstance(run("cost").exception, Unavailable)


def test_the_chart_of_costs_is_drawn_from_the_views(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "cost.png"
    shown = run("cost", "--json", "--plot", str(file))
    assert shown.exit_code == 0 and file.read_bytes()[:4] == b"\x89PNG"


def test_what_comes_from_outside_is_text(served: Served) -> None:
    signal = SignalView(NOW, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, "bad", HOSTILE, HOSTILE[1:], HOSTILE, about=HOSTILE)  # fmt: skip
    served.answers["/v1/signals"] = SignalsPage(HOSTILE, (signal,), HOSTILE, HOSTILE)
    for words in (("signals",), ("signals", "--json")):
        said = run(*words, "--limit", "1").stdout
        assert not {"\x1b", "\r", "\u202e", "\u2066", "\x07", "\x00"} & set(said)
