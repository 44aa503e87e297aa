"""`candlefish take-over` and `give-back`: a live service's users, to the control plane and to what ran before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cli.options import CATALOG, in_environment_to_change
from cli.stack import Stack, record_of
from cli.terminal import as_json, document, echo

if TYPE_CHECKING:
    from candlefish.catalog.model import Catalog


@click.command("take-over")
@click.argument("service")
@in_environment_to_change
@click.option("--share", type=click.IntRange(0, 100), required=True, help="Percent of the users, in DNS.")
@as_json
def take_over_command(stack: Stack, service: str, share: int, as_json: bool) -> None:
    """Lead a share of SERVICE's users to the control plane's load balancer; 0 leads all back.

    The host's record in Route 53 becomes two by weight, in one change. What ran before goes on running.
    """
    from candlefish.catalog.load import load
    from cli.adopt import shares
    from cli.adopt.handing import Dns, front_of, require_ready

    record = stack.records().get(service)
    if share:
        require_ready(stack, record)
    host = _host(load(CATALOG), stack.environment, service)
    dns = Dns(stack.client("route53"), host)
    front = front_of(stack, record)
    before = dns.records()
    dns.change(shares.shared(before, host, front["DNSName"], front["CanonicalHostedZoneId"], share))
    was = shares.share_of(before, host)
    if as_json:
        document(
            {
                "host": host,
                "was": was,
                "share": share,
                "load_balancer": front["LoadBalancerName"],
                "ttl": shares.ttl_of(before, host),
            }
        )
        return
    echo(
        f"{host}: {was}% -> {share}% of users at {front['LoadBalancerName']}; resolvers follow within "
        f"{shares.ttl_of(before, host)} s"
    )


@click.command("give-back")
@click.argument("service")
@in_environment_to_change
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    help="Seconds until resolvers follow; else twice the record's TTL.",
)
@click.option("--unseen", is_flag=True, help="What ran before cannot be looked at from here, and serves.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def give_back_command(
    stack: Stack, service: str, settle: float | None, unseen: bool, yes: bool, as_json: bool
) -> None:
    """Give SERVICE back to what ran before: its users first, then nothing of the control plane is left.

    Refused while a release or rollback window is under way, and where what ran before has no healthy target, or no ready
    Pod. May be run again where it stopped.
    """
    from candlefish.catalog.load import load
    from cli.adopt import shares
    from cli.adopt.callers import lead_back, require_pods, selected_before, service_of
    from cli.adopt.clusters import by_eks
    from cli.adopt.handing import Dns, begin_closing, front_of, require_old_way, take_away

    def tell(line: str) -> None:
        if as_json:
            document({"service": service, "says": line}, indent=False)
        else:
            echo(line)

    record = record_of(stack, service)
    if record is None:
        tell(f"{service} has no record in {stack.environment}: it is nobody's but yours already")
        return
    if record.stateful:
        raise click.UsageError(
            f"{service} is one StatefulSet, which ran before and runs on with its volumes: there is nothing to lead back. "
            f"Take the service out of the catalog, and from then on apply your own manifests to it (--force-conflicts)"
        )
    # Refuses before anything is asked or changed.
    begin_closing(record, time.time())
    catalog = load(CATALOG)
    environment = catalog.environment(stack.environment)
    cluster = by_eks(stack.client("eks"), environment.cluster, stack.credentials)
    front = {} if record.balanced else service_of(cluster, environment.namespace, service)
    before = selected_before(front)
    if before and not unseen:
        require_pods(cluster, environment.namespace, service, before)
    # Where it stopped before, that was looked at then.
    elif not (record.balanced or unseen or record.quarantine):
        raise click.UsageError(
            f"nobody can see here that what ran before {service} takes its work: see that it does, then say --unseen"
        )
    if not yes:
        click.confirm(
            f"Give {service} back, and delete what the control plane made for it?", abort=True, err=as_json
        )
    if record.balanced:
        host = _host(catalog, stack.environment, service)
        dns = Dns(stack.client("route53"), host)
        records = dns.records()
        if not unseen:
            require_old_way(stack, host, shares.leads_to(records, host))
    record = stack.records().update(service, lambda known: begin_closing(known, time.time()))
    if record.balanced:
        if shares.share_of(records, host):
            ours = front_of(stack, record)
            dns.change(shares.shared(records, host, ours["DNSName"], ours["CanonicalHostedZoneId"], 0))
        # Where they were led back before, nobody knows when: it may have been a moment ago.
        if shares.is_shared(records, host):
            wait = 2.0 * shares.ttl_of(records, host) if settle is None else settle
            tell(f"{host}: all users are led back; waiting {wait:g} s until resolvers follow")
            time.sleep(wait)
        if changes := shares.given_back(dns.records(), host):
            dns.change(changes)
            tell(f"{host}: one record again, as before")
    if before:
        lead_back(cluster, environment.namespace, service_of(cluster, environment.namespace, service))
        tell(f"Service {service}: its callers are led to {before} again, as before")
    take_away(stack, record, cluster, environment.namespace, tell)
    tell(
        f"{service} is given back; nothing of the control plane is left but its ServiceAccount and its history"
    )


def _host(catalog: Catalog, environment: str, service: str) -> str:
    from candlefish.catalog.read import effective

    return effective(catalog.service(service), catalog.environment(environment)).host
