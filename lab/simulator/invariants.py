"""What must be so after every event, and what must be so in the end. Numbers as in docs/architecture.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from candlefish.capacity.model import CapacityRecord
from candlefish.catalog.model import CUSTOM
from candlefish.release.drain import QUIET_WINDOWS
from candlefish.release.manifests.model import JOB_LABEL, LET_RUN_NOTE, RELEASE_NOTE, runner_name
from candlefish.release.model import MOST_EXPERIMENTS
from candlefish.requester import UNKNOWN
from candlefish.service.model import SLOTS, Slot, all_to, other
from candlefish.service.record import ServiceRecord, why_not_retire
from lab.kube.kinds import CLAIM, JOB, POD, STATEFUL_SET
from lab.simulator.machines import Execution
from lab.simulator.site import Site
from lab.simulator.versions import shares

# How long the world may differ from the record while the weather is fair, in seconds: the reconciler looks every
# minute, one look may go wrong, and a writer may live for two minutes more.
REPAIRED_WITHIN = 300.0
# Shares of Pods are moved by the machine of a rollback, which may have to be started again, or by the cluster's
# reconciler, which looks every five minutes at what nobody holds.
SHARED_WITHIN = 1200.0
# Who writes weights by itself; a rollback goes back first and looks then.
REPAIRS = frozenset({"reconcile_traffic", "finish_rollback"})
# A version that leaves so large a share of its requests without an answer is bad whatever else it does.
LOST = 0.1
# A function that began before a freeze was written does not see it; it lives no longer than this, in seconds.
FREEZE_SEEN_WITHIN = 120.0
# The states in which a release's timeline ends.
ENDINGS = frozenset({"promoted", "rolled_back", "refused"})


class Broken(msgspec.Struct, frozen=True):
    """Something that must never be was so. `what` is an invariant's name."""

    what: str
    why: str


class Invariants:
    """Looks at a site whenever something changed. `broken` keeps the first of each kind."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.broken: list[Broken] = []
        self._records: dict[str, ServiceRecord] = dict(site.stores.records.stored)
        self._cluster_version = -1
        # By slot: how many Pods it asked for when last looked at.
        self._asked_for = {
            runner_name(record, slot): site.replicas(runner_name(record, slot))
            for record in self._records.values()
            for slot in SLOTS
        }
        # A record was written since rules were compared with their records; how often rules had been by then.
        self._written = True
        self._rule_writes = -1
        self._differs_since: dict[str, float] = {}
        # When each target group lost its weight.
        self._left_at: dict[str, float] = {}
        self._acted: dict[tuple[str, str], list[float]] = {}
        self._capacity: CapacityRecord = site.stores.store.record
        # What could sleep, as it was when the environment last began to go down.
        self._evening: Mapping[str, Any] = {}
        # The first claim and StatefulSet of each name: data is found by them.
        self._data: dict[tuple[str, str], str] = {}
        # The first object of each Job's name that was let run, and the Pods of each.
        self._let_run: dict[str, str] = {}
        self._job_pods: dict[str, set[str]] = {}
        self._seen_runs = 0
        self._open: list[Execution] = []
        site.boundary.watchers.append(self._before_effect)
        site.kernel.watchers.append(self._after_event)

    def say(self, what: str, why: str) -> None:
        """Note that something must not be so."""
        if all(each.what != what for each in self.broken):
            self.broken.append(Broken(what, why))

    # --- after each event ---------------------------------------------------------------------

    def _after_event(self, name: str) -> None:
        for service, record in self.site.stores.records.stored.items():
            before = self._records.get(service)
            if before is not record:
                self._records[service] = record
                self._written = True
                if before is not None:
                    self._record_changed(before, record)
        capacity = self.site.stores.store.record
        if capacity is not self._capacity:
            earlier, self._capacity = self._capacity, capacity
            self._capacity_changed(earlier, capacity)
        version = self.site.ground.cluster.store.version
        if version != self._cluster_version:
            self._cluster_version = version
            self._slots_keep_their_pods()
            self._slots_run_their_versions()
            self._data_stays()
            if self.site.migrated:
                self._jobs_run_once()
        writes = self.site.ground.balancer.writes
        if self._written or self._differs_since or writes != self._rule_writes:
            self._written, self._rule_writes = False, writes
            self._rules_follow()
        if self._open or len(self.site.machines.executions) > self._seen_runs:
            self._executions()

    def _capacity_changed(self, before: CapacityRecord, after: CapacityRecord) -> None:
        """I6: the originals are saved once, are what the evening was, and come back exactly."""
        if before.phase == "awake" and after.phase == "going_down":
            self._evening = self._picture()
        if before.saved and after.saved and before.saved != after.saved:
            self.say("I6", f"the originals of {after.environment} were saved a second time")
        if after.saved and not before.saved:
            for key, saved in after.saved.things.items():
                if key in self._evening and saved.original != self._evening[key]:
                    self.say(
                        "I6",
                        f"{key} was saved as {saved.original}, in the evening it was {self._evening[key]}",
                    )
        if before.phase != "awake" and after.phase == "awake" and before.saved:
            now = self._picture()
            for key, saved in before.saved.things.items():
                if key not in before.notes and key in now and now[key] != saved.original:
                    self.say("I6", f"{key} woke as {now[key]}, before it slept it was {saved.original}")

    def _picture(self) -> dict[str, Any]:
        return {key: thing.state for key, thing in self.site.ports["world"].observe().things.items()}

    def _record_changed(self, before: ServiceRecord, after: ServiceRecord) -> None:
        if after.generation < before.generation or after.revision <= before.revision:
            self.say("I4", f"{after.name} went from generation {before.generation} to {after.generation}")
        holder, earlier = after.holder, before.holder
        if holder and earlier and holder.release != earlier.release and after.generation == before.generation:
            resumed = after.rollback is not None and holder.release == after.rollback.id
            if not resumed:
                self.say(
                    "I2", f"{after.name} went from {earlier.release} to {holder.release} in one generation"
                )
        for slot in SLOTS:
            if after.desired[slot] > 0 and after.slots[slot].state not in ("stable", "candidate", "empty"):
                self.say(
                    "I3",
                    f"{after.name} wants {after.desired[slot]}% on slot {slot}, which is {after.slots[slot].state}",
                )
        if after.rollback and after.stable and after.desired != all_to(after.stable):
            self.say("I4", f"{after.name} is being rolled back and wants {after.desired}")
        if before.stable and after.stable is None:
            self.say("I3", f"{after.name} lost its stable version")
        self._held_back(before, after)

    def _held_back(self, before: ServiceRecord, after: ServiceRecord) -> None:
        """I10: nothing goes forward while it is held, but a rollback; what is aborted was not promoted before."""
        grew = [slot for slot in SLOTS if after.desired[slot] > before.desired[slot]]
        if before.stops and before.holder and not after.rollback:
            if any(before.slots[slot].state == "candidate" for slot in grew):
                self.say("I10", f"{after.name} is held and went from {before.desired} to {after.desired}")
            if after.holder is None and not before.rollback:
                self.say("I10", f"{before.holder.release} was promoted while it was held")
        rolled = after.rollback
        if rolled and before.holder is None and rolled.disposition == "rejected" and "-by-hand-" in rolled.id:
            self.say("I10", f"{rolled.id} aborted {rolled.release}, which was promoted before")

    def _slots_keep_their_pods(self) -> None:
        """I5: nothing scales down what is weighted, undrained or inside the rollback window."""
        for record in self._records.values():
            for slot in SLOTS:
                name = runner_name(record, slot)
                before, now = self._asked_for.get(name, 0), self.site.replicas(name)
                self._asked_for[name] = now
                if name in self.site.by_hand:
                    # Somebody with kubectl, not the control plane.
                    self.site.by_hand.discard(name)
                elif before and not now and not self.site.asleep:
                    self._scaled_down(record, slot)

    def _scaled_down(self, record: ServiceRecord, slot: Slot) -> None:
        holder = record.holder
        comes = holder is not None and "deployed" not in self.site.kinds(holder.release)
        if record.slots[slot].state == "candidate" and comes:
            # What is left of the version before; the new one is deployed after that.
            return
        if record.works_alone:
            # Its Pods are its weight: they go with it, and come back with it.
            if record.desired[slot]:
                self.say("I5", f"slot {slot} was scaled down and has {record.desired[slot]}% of the jobs")
            return
        if why := why_not_retire(record, slot, self.site.kernel.now()):
            self.say("I5", f"slot {slot} was scaled down: {why}")
        since = self.site.kernel.now() - self._left_at.get(record.slots[slot].target_group, 0.0)
        if since < self._drains_for(record):
            self.say(
                "I5", f"slot {slot} of {record.name} was scaled down {since:.0f} s after it lost its weight"
            )
        applied = self.site.applied(record.rule).get(record.slots[slot].target_group, 0)
        if applied > 0:
            self.say(
                "I5", f"slot {slot} of {record.name} was scaled down and still gets {applied}% of the traffic"
            )

    def _slots_run_their_versions(self) -> None:
        """I5: what was deployed last where traffic goes, of a service that nobody holds, is what its record says.

        What somebody sets by hand is not ours, and is looked at in the end.
        """
        for record in self._records.values():
            if record.holder or record.rollback:
                continue
            for slot in SLOTS:
                name, version = runner_name(record, slot), record.slots[slot].version
                share = self.site.applied(record.rule).get(record.slots[slot].target_group, 0)
                deployed = self.site.ground.deployed(name)
                if share and deployed and version and deployed != version.image:
                    self.say(
                        "I5", f"{name} has {share}% and was deployed with {deployed}, not {version.image}"
                    )
                running = self.site.ground.running(name)
                if share and running and version and running.configuration != version.configuration:
                    self.say("I5", f"{name} has {share}% and was deployed with another configuration")

    def _data_stays(self) -> None:
        """Nobody deletes a StatefulSet or a claim, or makes another one in its place, whatever is released or taken back."""
        store = self.site.ground.cluster.store
        there = {
            (kind.kind, each["metadata"]["name"]): each["metadata"]["uid"]
            for kind in (CLAIM, STATEFUL_SET)
            for each in store.list(kind)
        }
        for (kind, name), uid in self._data.items():
            if there.get((kind, name)) != uid:
                self.say("data", f"{kind} {name} is not the one that it was")
        self._data |= there

    def _jobs_run_once(self) -> None:
        """Of the Jobs of a name one is let run, and it has one Pod, whatever is repeated, dies or comes late."""
        store = self.site.ground.cluster.store
        for job in store.list(JOB):
            metadata = job["metadata"]
            if LET_RUN_NOTE in metadata["annotations"]:
                first = self._let_run.setdefault(metadata["name"], metadata["uid"])
                if first != metadata["uid"]:
                    self.say("jobs", f"Job {metadata['name']} was let run a second time")
        for pod in store.list(POD):
            metadata = pod["metadata"]
            if JOB_LABEL in (metadata.get("labels") or {}):
                pods = self._job_pods.setdefault(metadata["labels"]["job-name"], set())
                pods.add(metadata["uid"])
                if len(pods) > 1:
                    self.say("jobs", f"Job {metadata['labels']['job-name']} has had {len(pods)} Pods")

    def _unmigrated(self, release: str) -> str:
        """The Job of a release that has not ended well; empty when none. All of them stand before its version."""
        for job in self.site.ground.cluster.store.list(JOB):
            ended = (job.get("status") or {}).get("conditions") or ()
            well = any(each["type"] == "Complete" and each["status"] == "True" for each in ended)
            if job["metadata"]["annotations"].get(RELEASE_NOTE) == release and not well:
                return str(job["metadata"]["name"])
        return ""

    def _drains_for(self, record: ServiceRecord) -> float:
        """No slot is known to be drained before so many seconds: nobody was heard in two windows."""
        service = self.site.catalog.services[record.service]
        policy = self.site.catalog.policies[service.judge]
        own = CUSTOM if CUSTOM in policy.sources else "prometheus"
        return QUIET_WINDOWS * policy.timing("cloudwatch" if record.balanced else own).window

    def _rules_follow(self) -> None:
        """The rule is as the record wants it, but for as long as a repair may take in fair weather."""
        now = self.site.kernel.now()
        for record in self._records.values():
            agrees = self.site.weights(record.rule) == record.weights_by_target_group()
            if agrees or not self.site.forecast.fair:
                self._differs_since.pop(record.service, None)
                continue
            since = self._differs_since.setdefault(record.service, now)
            if now - since > (REPAIRED_WITHIN if record.balanced else SHARED_WITHIN):
                self.say(
                    "I3", f"the rule of {record.name} has differed from its record for {now - since:.0f} s"
                )

    def _executions(self) -> None:
        executions = self.site.machines.executions
        self._open += executions[self._seen_runs :]
        for run in executions[self._seen_runs :]:
            self._started(run)
        self._seen_runs = len(executions)
        for run in [each for each in self._open if each.status != "RUNNING"]:
            self._open.remove(run)
            self._over(run)

    def _started(self, run: Execution) -> None:
        """I8: one action a subject and cooldown, however often a signal was delivered."""
        if not run.machine.name.endswith("-respond"):
            return
        about, action = f"{run.input['kind']}/{run.input['subject']}", run.input["action"]
        times = self._acted.setdefault((about, action), [])
        cooldown = getattr(self.site.catalog.responses.guard.cooldown, action)
        if times and run.start - times[-1] < cooldown - 60:
            self.say(
                "I8",
                f"{action} of {about} was begun {run.start - times[-1]:.0f} s after the last, the cooldown is {cooldown}",
            )
        times.append(run.start)

    def _over(self, run: Execution) -> None:
        """I3: when a rollback has ended well, all traffic is on the version known to be good."""
        machine = run.machine.name.rpartition("-")[2]
        if machine != "rollback" or run.status != "SUCCEEDED":
            return
        record = self._records[run.input["service"]]
        rule = self.site.weights(record.rule)
        if record.holder is None and record.stable and rule != record.weights_by_target_group():
            self.say("I3", f"rollback {run.name} has ended and the rule of {record.name} has {rule}")

    # --- before an effect -----------------------------------------------------------------------

    def _before_effect(self, function: str, port: str, method: str, args: tuple[Any, ...]) -> None:
        # What has no function was sent by one that is long gone; whoever took over looks after its time is up.
        if function and (port, method) == ("rules", "write"):
            self._weights_written(function, *args)

    def _weights_written(self, function: str, rule: str, weights: Mapping[str, int], *_: object) -> None:
        """I1: weight goes to what has a healthy target, or is the last known good."""
        for record in self._records.values():
            if record.rule != rule:
                continue
            seen = self.site.weights(rule)
            for slot in SLOTS:
                group = record.slots[slot].target_group
                if seen.get(group, 0) > 0 and not weights.get(group, 0):
                    self._left_at[group] = self.site.kernel.now()
                known_good = slot == record.stable or record.stable is None
                if (
                    weights.get(group, 0) > 0
                    and not known_good
                    and not self.site.ports["rules"].health(group).healthy
                ):
                    self.say(
                        "I1",
                        f"{function} gives {weights[group]}% to slot {slot} of {record.name}, which has no healthy target",
                    )
                gains = weights.get(group, 0) > seen.get(group, 0) and slot != record.stable
                holder = record.holder if self.site.migrated and gains and not record.rollback else None
                if holder and (job := self._unmigrated(holder.release)):
                    self.say(
                        "jobs", f"{function} gives weight to {record.name} {slot} before Job {job} ended well"
                    )
            if function in REPAIRS and not record.rollback:
                self._repaired(function, record, weights)

    def _repaired(self, function: str, record: ServiceRecord, weights: Mapping[str, int]) -> None:
        """I1: a repair takes nobody to a slot without healthy targets while the other slot has some."""
        before = self.site.weights(record.rule)
        for slot in SLOTS:
            group, elsewhere = record.slots[slot].target_group, record.slots[other(slot)].target_group
            health = self.site.ports["rules"].health
            gains = weights.get(group, 0) > before.get(group, 0)
            if gains and not health(group).healthy and health(elsewhere).healthy:
                self.say("I1", f"{function} moves users of {record.name} to slot {slot}, which serves nobody")

    # --- in the end --------------------------------------------------------------------------------

    def quiet(self) -> str:
        """What is still under way; empty when nothing is."""
        running = [run for run in self.site.machines.executions if run.status == "RUNNING"]
        if running:
            return f"{running[0].name} still runs"
        for record in self._records.values():
            if record.holder or record.rollback:
                return f"{record.name} is held"
            if record.stable and record.slots[other(record.stable)].running:
                return f"slot {other(record.stable)} of {record.name} keeps capacity"
            if self.site.weights(record.rule) != record.weights_by_target_group():
                return f"the rule of {record.name} is not as its record"
            if differs := self.site.differs(record):
                return differs
        if self.site.queue.left or self.site.lambdas.busy:
            return "messages are under way"
        return ""

    def at_the_end(self, left: str) -> None:
        """Nothing lost, nothing stuck, everything explained and told."""
        if left:
            self.say("stuck", left)
        for what, why in self._ends():
            self.say(what, why)

    def _ends(self) -> Iterator[tuple[str, str]]:
        for violation in self.site.ground.regions.violations:
            yield "two writers", violation
        for bug in self.site.bugs:
            yield "bug", bug
        journal = self.site.ports["journal"]
        for id, release in journal.releases.items():
            if release.status not in ENDINGS:
                yield "unfinished", f"release {id} is {release.status} for ever; {self.site.kinds(id)}"
            for entry in journal.entries(id):
                if not entry.reason:
                    yield "unexplained", f"{entry.kind} of {id} has no reason"
        yield from self._accused()
        yield from self._counted()
        yield from self._asked()
        yield from self._judged()
        yield from self._unanswered()
        yield from self._experiments()
        yield from self._frozen()
        for run in self.site.machines.executions:
            if run.status in ("FAILED", "TIMED_OUT") and not run.cause:
                yield "unexplained", f"{run.name} ended {run.status} without a cause"
        for record in self._records.values():
            if record.stable is None:
                continue
            if record.desired != all_to(record.stable):
                yield "I3", f"{record.name} rests with {record.desired}, stable is {record.stable}"
            if not self.site.asleep and self._works(record) and self.site.healthy(record, record.stable) == 0:
                yield "I1", f"the stable slot of {record.name} has no healthy target in the end"
        yield from self._told()

    def _works(self, record: ServiceRecord) -> bool:
        """Whether the stable version is one whose Pods stay up: one that crashes after hours is a person's work."""
        assert record.stable_version
        known = self.site.ground.versions.of_image(record.stable_version.image)
        return known is not None and known.crash_after is None

    def _accused(self) -> Iterator[tuple[str, str]]:
        """I9: nobody writes rules by hand on these days, so nobody is said to have changed the traffic.

        Whoever sets the number of Pods by hand changes no shares: a Service says what those are.
        """
        for id in self.site.ports["journal"].releases:
            for entry in self.site.entries(id):
                if entry.kind == "drift_repaired":
                    yield "I9", f"somebody is said to have changed the traffic of {id}: {entry.reason}"

    def _counted(self) -> Iterator[tuple[str, str]]:
        """No end of a release is counted twice, whatever died or was tried again; a death in between may lose one."""
        releases, meter = self.site.ports["journal"].releases, self.site.stores.meter
        ends = {
            "ReleasesPromoted": "promoted",
            "ReleasesRolledBack": "rolled_back",
            "ReleasesRefused": "refused",
        }
        for metric, kind in ends.items():
            ended = sum(kind in self.site.kinds(id) for id in releases)
            if meter.total(metric) > ended:
                yield "counted", f"{metric} is {meter.total(metric):.0f}, and {ended} releases were {kind}"

    def _judged(self) -> Iterator[tuple[str, str]]:
        """What there was evidence against was not promoted after that."""
        for id in self.site.stores.journal_store.releases:
            kinds = [(entry.kind, entry.evidence.get("action", "")) for entry in self.site.entries(id)]
            for place, entry in enumerate(kinds):
                if entry == ("judged", "rollback") and any(kind == "promoted" for kind, _ in kinds[place:]):
                    yield "promoted", f"{id} was promoted, although it was judged bad"

    def _unanswered(self) -> Iterator[tuple[str, str]]:
        """No canary that leaves many requests without an answer is promoted on evidence; a person may insist."""
        for id, release in self.site.ports["journal"].releases.items():
            entries = self.site.entries(id)
            judged = [entry for entry in entries if entry.kind == "judged"]
            behaviour = self.site.ground.versions.of_image(release.version.image)
            lost = shares(behaviour, 0.0)[2] if behaviour else 0.0
            if lost < LOST or not any(step.kind == "judge" for step in release.plan) or self._was_live(id):
                continue
            asked = any(entry.evidence.get("action") == "ask" for entry in judged)
            asked = asked or any(entry.kind == "promote_now" for entry in entries)
            if not asked and any(entry.kind == "promoted" for entry in entries):
                yield "promoted", f"{id} was promoted, and {lost:.0%} of its requests get no answer"

    def _experiments(self) -> Iterator[tuple[str, str]]:
        """At most two a release, each with its weight given back or taken for good; no canary that takes what all
        versions share is promoted on evidence, unless the world broke it too; a person may insist."""
        for id, release in self.site.ports["journal"].releases.items():
            kinds = self.site.kinds(id)
            begun, ended = kinds.count("experiment"), kinds.count("experiment_ended")
            if begun > MOST_EXPERIMENTS or release.experiments > MOST_EXPERIMENTS:
                yield "experiments", f"{id} made {max(begun, release.experiments)} experiments"
            if "promoted" in kinds and ended < release.experiments and "promote_now" not in kinds:
                yield "experiments", f"{id} was promoted in the middle of an experiment"
            behaviour = self.site.ground.versions.of_image(release.version.image)
            if behaviour is None or not behaviour.poisons or release.service in self.site.broke:
                continue
            if self._was_live(id):
                continue
            said = [e.evidence.get("action", e.evidence.get("outcome")) for e in self.site.entries(id)]
            partial = any(0 < step.weight < 100 for step in release.plan if step.kind == "shift")
            insisted = bool({"ask", "unclear"} & set(said)) or "promote_now" in kinds
            if partial and "promoted" in kinds and not insisted:
                yield (
                    "promoted",
                    f"{id} was promoted, and {behaviour.poisons:.0%} of all requests fail with it",
                )

    def _frozen(self) -> Iterator[tuple[str, str]]:
        """I10: no release began while somebody had frozen its service, but one that says why it cannot wait."""
        freezes = self.site.ports["asked_freezes"].get().freezes
        for id, release in self.site.ports["journal"].releases.items():
            if release.break_glass or not release.generation:
                continue
            for each in freezes:
                # Whoever looks at the freezes at this moment does not see it yet.
                since, until = each.since + FREEZE_SEEN_WITHIN, each.lifted_at or each.until
                if each.service in ("", release.service) and since <= release.started_at < until:
                    yield "I10", f"{id} began at {release.started_at:.0f}, frozen since {each.since:.0f}"

    def _was_live(self, id: str) -> bool:
        """Whether an earlier release promoted the same image: another configuration of it changes none of what it does."""
        releases = self.site.ports["journal"].releases
        mine = releases[id]
        return any(
            "promoted" in self.site.kinds(other)
            for other, each in releases.items()
            if other != id and each.version.image == mine.version.image and each.started_at < mine.started_at
        )

    def _asked(self) -> Iterator[tuple[str, str]]:
        """I7: what replaced a version in production was approved by a person other than the requester."""
        if not self.site.declared.production:
            return
        for id, release in self.site.ports["journal"].releases.items():
            kinds = self.site.kinds(id)
            if "promoted" not in kinds or not any(step.kind == "approve" for step in release.plan):
                continue
            yes = ("approved", "approval_given", "promote_now")
            by = {entry.by for entry in self.site.entries(id) if entry.kind in yes}
            needed = 2 if release.requested_by == UNKNOWN else 1
            if len(by) < needed or release.requested_by in by:
                said = " and ".join(sorted(by)) or "nobody"
                yield ("I7", f"{id} was promoted, approved by {said}, asked for by {release.requested_by}")

    def _told(self) -> Iterator[tuple[str, str]]:
        """Each promotion, rollback and refusal was told to people, or what was to tell them lies in the dead letters."""
        told = " ".join(
            each.text + " ".join(str(value) for _, value in each.facts) for each in self.site.told
        )
        lost = " ".join(str(each.body) for each in self.site.delivery.dead_letters)
        for id, release in self.site.ports["journal"].releases.items():
            if id not in told and id not in lost:
                yield "untold", f"nobody was told of release {id} ({release.status})"
