"""Places that exist, hosts that differ, schedules that can be kept, and what production promises."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from datetime import date, datetime
from zoneinfo import available_timezones

from candlefish.catalog import hours
from candlefish.catalog.model import Catalog, Duration, Environment, Routing, suggest
from candlefish.catalog.problems import Finding, Path, unknown
from candlefish.catalog.read import effective

# ALB: 100 rules a load balancer, not counting default rules. A service has its own, and one for
# smoke tests while it is released.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
MAX_RULES = 100
RULES_PER_SERVICE = 2
# ALB: a host condition holds at most 128 characters.
MAX_HOST = 128


def places(catalog: Catalog) -> Iterator[Finding]:
    """Regions, networks and time zones that exist; no two environments in one place."""
    regions, zones = _regions(), available_timezones()
    seen: dict[tuple[str, ...], str] = {}
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        named: list[tuple[Path, str]] = [
            ((*here, field), getattr(environment, field)) for field in ("region", "recovery_region")
        ]
        for index, database in enumerate(environment.databases):
            if database.replica:
                named.append(((*here, "databases", index, "replica", "region"), database.replica.region))
        for path, region in named:
            if region not in regions:
                yield Finding(path, f"{region!r} is no region that botocore knows", suggest(region, regions))
        if environment.region == environment.recovery_region:
            what = f"the recovery region is the region itself, {environment.region}"
            yield Finding((*here, "recovery_region"), what, "name another region")
        if environment.timezone not in zones:
            yield unknown((*here, "timezone"), "time zone", environment.timezone, zones)
        for index, cidr in enumerate(environment.ingress_cidrs):
            try:
                ipaddress.ip_network(cidr)
            except ValueError as error:
                yield Finding((*here, "ingress_cidrs", index), str(error), "write a network like 10.0.0.0/16")
        place = (environment.account, environment.region, environment.cluster, environment.namespace)
        if place in seen:
            what = f"{seen[place]} already has namespace {environment.namespace} of {environment.cluster}"
            yield Finding((*here, "namespace"), what, "give each environment its own namespace")
        seen.setdefault(place, name)


def _regions() -> set[str]:
    from botocore.loaders import Loader

    partitions = Loader().load_data("partitions")["partitions"]
    return {region for partition in partitions for region in partition["regions"] if "global" not in region}


def hosts(catalog: Catalog) -> Iterator[Finding]:
    """One service a host, and no more services than a load balancer has rules for."""
    reported: set[Path] = set()
    for name, environment in catalog.environments.items():
        seen: dict[str, str] = {}
        for service in catalog.services.values():
            host = effective(service, environment).host
            overridden = service.name in environment.overrides and environment.overrides[service.name].host
            path = (
                ("environments", name, "overrides", service.name)
                if overridden
                else ("services", service.name)
            )
            if host in seen and path not in reported:
                reported.add(path)
                what = f"{host} already belongs to {seen[host]} in {name}"
                yield Finding((*path, "host"), what, "give each service a host of its own")
            if len(host) > MAX_HOST:
                what = f"{host} has {len(host)} characters in {name}, a load balancer takes {MAX_HOST}"
                yield Finding((*path, "host"), what, "shorten it")
            seen.setdefault(host, service.name)
    rules = RULES_PER_SERVICE * len(catalog.services)
    if rules > MAX_RULES:
        what = (
            f"{len(catalog.services)} services need {rules} listener rules, a load balancer has {MAX_RULES}"
        )
        yield Finding(
            ("services",), what, "split the catalog over two load balancers, each with a stack of its own"
        )


def production(catalog: Catalog) -> Iterator[Finding]:
    """What production promises: it never sleeps, and a second person approves what goes there."""
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        if not environment.production:
            if name.startswith(("prod", "live")):
                what = f"{name!r} sounds like production but is not marked as such"
                yield Finding((*here, "production"), what, "write production: true, or rename it")
            continue
        if environment.schedule:
            yield Finding((*here, "schedule"), "production never sleeps", "remove schedule")
        strategy = catalog.strategies.get(environment.strategy)
        if strategy and not any(step.approve and step.approve.four_eyes for step in strategy.steps):
            what = f"strategy {strategy.name!r} lets a version into production without a second person"
            fix = "use one with an approve step and four_eyes: true"
            yield Finding((*here, "strategy"), what, fix, rests_on=("strategies", strategy.name))
        approvers = [person.name for person in catalog.people.values() if person.approver]
        if len(approvers) < 2:
            what = f"production needs two approvers, there are {len(approvers)}: nobody approves their own"
            yield Finding(("people",), what, "mark one more person with approver: true")


def calendars(catalog: Catalog) -> Iterator[Finding]:
    for name, calendar in catalog.calendars.items():
        for day in calendar.days:
            # A leap year, so that 02-29 may be a yearly holiday.
            yield from _tried(
                ("calendars", name, "days", day),
                date.fromisoformat,
                day if day[4:5] == "-" else f"2000-{day}",
            )


def schedules(catalog: Catalog) -> Iterator[Finding]:
    """Hours that exist, and a rollback window that fits into them."""
    zones = available_timezones()
    for name, environment in catalog.environments.items():
        schedule, here = environment.schedule, ("environments", name, "schedule")
        if schedule is None:
            continue
        if schedule.timezone not in zones:
            yield unknown((*here, "timezone"), "time zone", schedule.timezone, zones)
        for index, calendar_name in enumerate(schedule.holidays):
            if calendar_name not in catalog.calendars:
                yield unknown((*here, "holidays", index), "calendar", calendar_name, catalog.calendars)
        wrong = [
            f for i, text in enumerate(schedule.awake) for f in _tried((*here, "awake", i), hours.parse, text)
        ]
        yield from wrong
        rules = [] if wrong else [hours.parse(text) for text in schedule.awake]
        if not any(rule.kind == "weekdays" for rule in rules) and not wrong:
            yield Finding(
                (*here, "awake"), "it never wakes", "write at least one rule like Mon-Fri 07:00-20:00"
            )
        strategy = catalog.strategies.get(environment.strategy)
        shortest = Duration(min((60 * (rule.end - rule.start) for rule in rules if rule.end), default=0))
        if strategy and rules and strategy.rollback_window > shortest:
            kept = f"{strategy.name} keeps a version ready to roll back for {strategy.rollback_window}"
            what = f"{kept}, but this may be asleep again after {shortest}"
            fix = "lengthen the hours or shorten rollback_window"
            yield Finding((*here, "awake"), what, fix, rests_on=("strategies", strategy.name))


def freezes(catalog: Catalog) -> Iterator[Finding]:
    for name, environment in catalog.environments.items():
        for index, freeze in enumerate(environment.freezes):
            here = ("environments", name, "freezes", index)
            wrong = [
                f
                for field in ("start", "end")
                for f in _tried((*here, field), _local, getattr(freeze, field))
            ]
            yield from wrong
            if not wrong and _local(freeze.start) >= _local(freeze.end):
                yield Finding(
                    (*here, "end"), f"{freeze.end} is not after {freeze.start}", "write a later end"
                )


def _local(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo:
        raise ValueError(f"{text} carries an offset, and freezes are in the environment's own time zone")
    return moment


def _tried(path: Path, read: Callable[[str], object], text: str) -> Iterator[Finding]:
    try:
        read(text)
    except ValueError as error:
        what, _, fix = str(error).partition("; ")
        yield Finding(path, what, fix or "write it like 2026-12-24, with a time like 2026-12-24T18:00")


def identities(catalog: Catalog) -> Iterator[Finding]:
    """Nobody goes by another's name: four eyes would see double."""
    for field in ("github", "aws", "slack"):
        seen: dict[str, str] = {}
        for name, person in catalog.people.items():
            identity = getattr(person, field)
            if identity and identity in seen:
                what = f"{seen[identity]} goes by {identity!r} too"
                yield Finding(("people", name, field), what, "give each person an identity of their own")
            seen.setdefault(identity, name)


def recovery(catalog: Catalog) -> Iterator[Finding]:
    """Replicas that survive the region, fences that keep clients out, and a way to lead users elsewhere."""
    for name, environment in catalog.environments.items():
        here: Path = ("environments", name)
        for index, database in enumerate(environment.databases):
            there: Path = (*here, "databases", index)
            if database.replica and database.replica.region == environment.region:
                what = f"the replica of {database.name} is in the region that it is to survive"
                yield Finding((*there, "replica", "region"), what, f"write {environment.recovery_region}")
            for path, copy in ((there, database), ((*there, "replica"), database.replica)):
                if copy and copy.fence_group and copy.fence_group in copy.groups:
                    what = f"{copy.fence_group} fences {database.name} and lets its clients in"
                    yield Finding((*path, "fence_group"), what, "name a group without inbound rules")
        if environment.recovery.routing:
            yield from _routing((*here, "recovery", "routing"), environment, environment.recovery.routing)


def _routing(path: Path, environment: Environment, routing: Routing) -> Iterator[Finding]:
    if not routing.zone and not routing.controls:
        yield Finding(path, "nothing says how users are led", "write zone, or controls and endpoints")
    if routing.controls and not routing.endpoints:
        what = "routing controls are reached through the ARC cluster's endpoints, and there are none"
        yield Finding((*path, "endpoints"), what, "write all five, each as region: https://...")
    for region in (environment.region, environment.recovery_region):
        if routing.controls and region not in routing.controls:
            yield Finding(
                (*path, "controls"), f"{region} has no routing control", f"write {region}: <its ARN>"
            )
