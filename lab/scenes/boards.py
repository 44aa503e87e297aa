"""Everything that the control plane counts, made to happen once in a running lab; what CloudWatch has of it then.

A release that is promoted and one that is bad, under load; one that is refused; one whose judge cannot tell, for nobody
sends anything, and whom an alert takes back while the guard refuses another; a rule that somebody turns, with the
reconcilers on and off; and the morning's look at the bill.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from candlefish.automation import TAG
from candlefish.measures import METRICS, NAMESPACE
from candlefish.service.model import SLOTS
from lab.choices import alone, approver, judged, requester
from lab.looks import looks
from lab.scenes import driver
from lab.scenes.bring_up import bring_up
from lab.traffic.load import Load
from lab.world import World

GOOD, BAD, UNHEARD = "1.1.0", "bad", "1.2.0"
TIME_SCALE = 60.0
REQUESTS_PER_SECOND = 300.0
# At this scale no step takes a minute.
PATIENCE = 300.0

Counted = dict[str, float]


class NotCounted(AssertionError):
    """Something happened, and CloudWatch has nothing of it."""


class Boards:
    """One service of a lab that is running, and what is counted of it. `say` tells how far it is."""

    def __init__(self, world: World, say: Callable[[str], None] = lambda text: None) -> None:
        self.world, self.say = world, say
        self.environment, self.service = judged(world.catalog).name, alone(world.catalog)
        # Since when is counted, and since when the services are up.
        self.since = self.began = time.time()

    @property
    def site(self) -> Any:
        return self.world.sites[self.environment]

    def client(self, service: str) -> Any:
        """A client as the administrator."""
        return self.world.clients(self.site.region)(service)

    def play(self) -> None:
        """Bring everything about, in about two minutes.

        Raises
        ------
        NotCounted
            Something came about, and was not counted.
        """
        for step in (
            self.up,
            self.promote_and_roll_back,
            self.refuse,
            self.ask_and_take_back,
            self.turn_the_rule,
            self.turn_it_with_automation_off,
            self.read_the_bill,
        ):
            self.say(step.__name__.replace("_", " "))
            step()

    # --- what comes about ------------------------------------------------------------------------

    def up(self) -> None:
        bring_up(self.world, (self.environment,), (self.service,))
        self.began = time.time()

    def promote_and_roll_back(self) -> None:
        """A good version under load, then a bad one."""
        host = self.world.status()["environments"][self.environment]["hosts"][self.service]
        load = Load(self.site.port, [host], REQUESTS_PER_SECOND)
        load.start()
        try:
            self.follow(self.release(GOOD))
            driver.wait_for(self.world, self.environment, self.release(BAD), PATIENCE)
        finally:
            load.stop()
        self.until("ReleasesPromoted", "LeadTime", "ChangesDelivered", "JudgedGood", "Evidence")
        self.until("ReleasesRolledBack", "ChangesFailed", "TimeToRestore", "JudgedBad")

    def refuse(self) -> None:
        """The version that was bad, once more."""
        refused = self.release(BAD)
        driver.wait_for(self.world, self.environment, refused, PATIENCE)
        self.until("ReleasesRefused")

    def ask_and_take_back(self) -> None:
        """Nobody sends anything: the judge cannot tell. One alert takes it back, the guard refuses the next."""
        name = self.release(UNHEARD)
        driver.wait_for_entry(self.world, self.environment, name, "approval_requested", PATIENCE)
        self.until("JudgeAsked")
        self.alert("first")
        self.until("SignalsActed")
        self.alert("second")
        self.until("SignalsRefused")
        self.at_rest()

    def turn_the_rule(self) -> None:
        """Somebody gives half of the traffic to the other slot; the reconciler takes it back, and says whose it was."""
        self.at_rest()
        before = self.counted().get("ChangedByOthers", 0.0)
        for _ in looks(PATIENCE, 2.0):
            # What was intended last is settled by the reconciler's next look after the writers' time.
            self.turn(50)
            self.until_rule_is_back()
            if self.counted().get("ChangedByOthers", 0.0) > before:
                break
        self.until("Repairs", "ChangedByOthers")

    def turn_it_with_automation_off(self) -> None:
        """The same while nothing may act by itself: it is found, and left."""
        states, machine = self.client("stepfunctions"), self.site.stack.outputs["RespondMachineArn"]
        before = self.counted().get("NotPutRight", 0.0)
        states.tag_resource(resourceArn=machine, tags=[{"key": TAG, "value": "off by hand"}])
        try:
            self.turn(50)
            for _ in looks(PATIENCE, 0.5):
                if self.counted().get("NotPutRight", 0.0) > before:
                    break
            else:
                raise NotCounted("nothing was left alone while automation was off")
        finally:
            states.untag_resource(resourceArn=machine, tagKeys=[TAG])
        self.until_rule_is_back()

    def read_the_bill(self) -> None:
        """The morning's look."""
        self.world.invoke(self.environment, "review-costs", {"task": "watch"})
        self.until("CostForecast", "CostTarget")

    # --- how -------------------------------------------------------------------------------------

    def release(self, version: str) -> str:
        return driver.start_release(
            self.world,
            self.environment,
            self.service,
            version,
            by=requester(self.world.catalog),
            reason="a scene",
        )

    def follow(self, release: str) -> None:
        """Say yes to every question of a release until it has ended."""
        answered = 0
        for _ in looks(2 * PATIENCE, 0.3):
            entries = driver.timeline(self.world, self.environment, release)
            asked = sum(each["kind"] == "approval_requested" for each in entries)
            if asked > answered:
                answered = asked
                self.approve(release)
            if driver.execution(self.world, self.environment, release)["status"] != "RUNNING":
                return
        raise NotCounted(f"{release} does not end")

    def approve(self, release: str) -> None:
        person = approver(self.world.catalog)
        status, said = driver.answer(
            self.world, self.environment, release, "approved", person=person, reason="it looks good"
        )
        if status != 200:
            raise NotCounted(f"the approval was refused: {said}")

    def alert(self, fingerprint: str) -> None:
        """What Alertmanager posts about the service, in the same words every time."""
        labels = {"alertname": "ErrorRateCritical", "service": self.service, "severity": "critical"}
        one = {
            "status": "firing",
            "labels": labels | {"environment": self.environment},
            "annotations": {"summary": "a scene"},
            "startsAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": fingerprint,
        }
        body = {
            "version": "4",
            "status": "firing",
            "truncatedAlerts": 0,
            "alerts": [one],
            "groupLabels": labels,
        }
        request = urllib.request.Request(
            self.site.stack.outputs["AlertsUrl"],
            json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {driver.alert_token(self.world, self.environment)}",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()

    def turn(self, weight: int) -> None:
        """Somebody with the console gives the slot that does not serve so much of the traffic."""
        record = driver.record(self.world, self.environment, self.service)
        groups = {slot: record["slots"][slot]["target_group"] for slot in SLOTS}
        idle = next(slot for slot in SLOTS if slot != record["stable"])
        forward = [
            {"TargetGroupArn": groups[slot], "Weight": weight if slot == idle else 100 - weight}
            for slot in SLOTS
        ]
        self.client("elbv2").modify_rule(
            RuleArn=record["rule"],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
        )

    def at_rest(self) -> None:
        """Wait until nobody holds the service."""
        for _ in looks(PATIENCE, 0.3):
            record = driver.record(self.world, self.environment, self.service)
            if not record.get("holder") and not record.get("rollback"):
                return
        raise NotCounted(f"{self.service} is held for ever")

    def until_rule_is_back(self) -> None:
        """Wait until the rule is as its record wants it."""
        for _ in looks(PATIENCE, 0.3):
            record = driver.record(self.world, self.environment, self.service)
            wanted = {record["slots"][slot]["target_group"]: record["desired"][slot] for slot in SLOTS}
            if driver.rule_weights(self.world, self.environment, record["rule"]) == wanted:
                return
        raise NotCounted("nobody put the rule right")

    # --- what was counted ------------------------------------------------------------------------

    def until(self, *metrics: str) -> None:
        """Wait until CloudWatch has values of all of them."""
        missing = set(metrics)
        for _ in looks(PATIENCE, 0.5):
            missing = set(metrics) - set(self.counted())
            if not missing:
                return
        raise NotCounted(f"CloudWatch has nothing of {', '.join(sorted(missing))}")

    def counted(self) -> Counted:
        """The sum of each metric of the environment since the scene was made."""
        wanted = {"Name": "Environment", "Value": self.environment}
        found = {}
        for name, dimensions in self.known():
            if dimensions == {"Environment": self.environment}:
                answer = self.client("cloudwatch").get_metric_data(
                    MetricDataQueries=[
                        {
                            "Id": "m",
                            "MetricStat": {
                                "Metric": {
                                    "Namespace": NAMESPACE,
                                    "MetricName": name,
                                    "Dimensions": [wanted],
                                },
                                "Period": 60,
                                "Stat": "Sum",
                            },
                        }
                    ],
                    StartTime=datetime.fromtimestamp(self.since - 60, UTC),
                    EndTime=datetime.fromtimestamp(time.time() + 60, UTC),
                )
                if values := answer["MetricDataResults"][0]["Values"]:
                    found[name] = sum(values)
        return found

    def known(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Every metric of ours that CloudWatch was told, and its dimensions."""
        pages = self.client("cloudwatch").get_paginator("list_metrics").paginate(Namespace=NAMESPACE)
        for page in pages:
            for each in page["Metrics"]:
                yield each["MetricName"], {d["Name"]: d["Value"] for d in each["Dimensions"]}

    def body(self) -> dict[str, Any]:
        """The environment's dashboard as it was deployed."""
        found = self.client("cloudwatch").get_dashboard(DashboardName=f"candlefish-{self.environment}")
        body: dict[str, Any] = json.loads(found["DashboardBody"])
        return body


def uncounted(counted: Counted) -> set[str]:
    """Metrics of the table that were not counted."""
    return set(METRICS) - set(counted)
