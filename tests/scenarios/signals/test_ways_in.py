"""Ways in beside CloudWatch's alarms: audits on the bus, SNS, and a storm through the webhook."""

from __future__ import annotations

import json
from collections import Counter

from candlefish.signals.model import LoggedSignal
from lab import ROOT
from lab.simulator.machines.errors import FunctionError
from tests.support.alerts import SignalStage

# One that the website's people are told of; nothing is done about it.
ONLY_TOLD = "UtilisationHigh"


def test_findings_of_our_own_audits_come_in_over_the_bus(stage: SignalStage) -> None:
    detail = json.loads((ROOT / "events" / "signals" / "finding.json").read_text())["detail"]
    detail["started_at"] = stage.site.kernel.now()
    stage.site.delivery.publish("finding", detail)
    line = stage.logged("backup-snapshot-age")
    assert (line.signal.kind, line.signal.subject) == ("other", "backup-snapshot-age")
    said = "P2 backup-snapshot-age in production"
    assert stage.told(said) == {said: 1}


def test_sns_is_another_way_in(stage: SignalStage) -> None:
    alerts = [stage.alert(ONLY_TOLD, stage.site.kernel.now())]
    body = {"version": "4", "groupKey": "{}", "status": "firing", "alerts": alerts}
    topic = f"arn:aws:sns:{stage.site.stack.region}:{stage.site.stack.account}:candlefish-production-alerts"
    stage.site.queue.notify(topic, json.dumps(body))
    line = stage.logged(ONLY_TOLD)
    assert (line.signal.source, line.decision.gate) == ("alertmanager", "")
    said = "P2 UtilisationHigh on website in production"
    assert stage.told(said) == {said: 1}


def test_a_storm_leads_to_one_rollback_and_every_alert_is_accounted_for(still: SignalStage) -> None:
    stage, site = still, still.site
    assert stage.approve_all(stage.start("storefront", "1.1.0"))["status"] == "SUCCEEDED"
    site.run(60.0)
    began = site.kernel.now()

    def firing(number: int, **labels: str) -> dict[str, object]:
        alert = stage.alert("ServiceDown", began, service="storefront", **labels)
        return alert | {"fingerprint": f"storm{number:011d}"}

    taken: list[int] = []

    def send(number: int) -> None:
        # Two Alertmanagers send each alert, and post again what was not taken.
        while True:
            try:
                taken.append(site.alertmanager([firing(number // 2)]))
                return
            except FunctionError as error:
                assert error.error == "Lambda.TooManyRequestsException"
                site.kernel.sleep(1.0)

    for number in range(500):
        site.kernel.spawn(lambda number=number: send(number), f"post {number}")
    site.until(lambda: len(taken) == 500, "all posts are taken")
    assert set(taken) == {202}
    stage.post(firing(9000), truncatedAlerts=4000)
    stage.post(*(firing(10_000 + n, pod=f"p{n}") for n in range(10_000)))

    def decided() -> list[LoggedSignal]:
        return [
            line
            for line in stage.lines(subject="storefront")
            if line.signal.alert.fingerprint.startswith("storm") and not line.outcome
        ]

    def gates() -> Counter[str]:
        found: Counter[str] = Counter()
        for line in decided():
            found[line.decision.gate or line.decision.action] += line.count
        return found

    site.until(lambda: gates().total() >= 500 + 1 + 10_000, "every alert is accounted for")
    stage.one_rollback("storefront")
    counted = gates()
    assert counted.total() == 10_501
    assert counted.pop("rollback") >= 1
    assert set(counted) <= {"cooldown", "duplicate", "storm", "precondition", "budget"}
    assert len({line.response for line in decided() if line.response}) == 1
