"""The files: a catalog with a comment for each guess, and adoption-ENVIRONMENT.md. Pure; texts by their names.

What is there already stays: services and people that are written are people's own, new ones are added beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from candlefish.catalog.read import prefixed
from cli.adopt.guess import IN_CLUSTER, WORKERS
from cli.adopt.proposal import Guess, Proposal, ServiceProposal
from cli.yaml_edit import append_text, look_at

Files = Mapping[str, str]
STRATEGIES = """\
# How a version takes over. The steps run in the order they are written (docs/catalog.md).

# A tenth, judged; a person says yes; half, judged; all.
canary:
  kind: canary
  steps:
    - smoke: {within: 2m}
    - weight: 10
    - judge: {at_most: 30m}
    - approve: {within: 8h}
    - weight: 50
    - judge: {at_most: 30m}
    - weight: 100
    - bake: {at_most: 15m}
  rollback_window: 1h

# In place: Kubernetes replaces Pods, and there is no second slot to go back to.
rolling:
  kind: rolling
  steps:
    - bake: {at_most: 1m, unclear: go_on}
"""
# What each policy says beside where it reads; the budgets stand in every one.
POLICY = """\
{name}:
  alpha: 0.01
  window: 1m
  settle: 1m
  slow_over: 2s
  min_requests: 50
  budgets:
    - {{metric: errors, over: 0.25, lasting: 0s}}
    - {{metric: errors, over: 0.1, lasting: 5m}}
    - {{metric: errors, over: 0.5, lasting: 2m, shared: rollback}}
    - {{metric: slow, over: 0.05, lasting: 5m}}
"""
RESPONSES = """\
# What alarms lead to here, beside what ships with the product (docs/alerts.md). What stands here comes first.
"""
# Alerts of kube-prometheus-stack that a release can be the cause of, and why the version goes back.
ACTING = {
    "KubePodCrashLooping": "a version whose Pods crash is taken back, in its release and in the window after it",
}
HEADS = {
    "services": "# What runs, how it is reached, how large it is, who owns it (docs/catalog.md). Each guess says what it is from.\n",
    "policies": "# How canaries are judged (docs/judge.md). A service names its policy in `judge`; else it is `default`.\n",
    "people": "# Who may ask for and approve releases. `aws` are IAM principals, as `aws sts get-caller-identity` names them.\n",
}


def files(proposal: Proposal, before: Files) -> dict[str, str]:
    """Every file that is new or another now, by its path below the folder; `before` are those that are there."""
    found: dict[str, str] = {}
    for name, text in (
        ("catalog/strategies.yaml", STRATEGIES),
        ("catalog/responses.yaml", _responses(proposal)),
    ):
        if name not in before:
            found[name] = text
    where = f"catalog/environments/{proposal.environment}.yaml"
    if where not in before:
        known = look_at(before.get("catalog/services.yaml", ""), ()) or {}
        found[where] = _environment(proposal, known)
    found["catalog/services.yaml"] = _added(
        before.get("catalog/services.yaml", HEADS["services"]),
        {each.name: _service(each) for each in proposal.services},
    )
    found["catalog/policies.yaml"] = _added(
        before.get("catalog/policies.yaml", HEADS["policies"]), _policies(proposal)
    )
    found["catalog/people.yaml"] = _added(
        before.get("catalog/people.yaml", HEADS["people"]),
        {name: f"{name}: {_flow(said)}\n" for name, said in proposal.people.items()},
    )
    found[f"adoption-{proposal.environment}.md"] = report(proposal)
    return {name: text for name, text in found.items() if before.get(name) != text}


def _added(text: str, entries: Mapping[str, str]) -> str:
    """A file with entries that it has not yet, each after a blank line."""
    known = look_at(text, ()) or {}
    for name, entry in entries.items():
        if name not in known:
            text = append_text(text, entry, name)
    return text


def _flow(value: Any) -> str:
    """A value on one line, as the catalog's YAML is read."""
    dumped = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip()
    # The end of the document, which is written behind a plain scalar.
    return dumped.removesuffix("\n...")


def _comment(guess: Guess) -> str:
    words = f"guessed from {guess.why}" if guess.sure else f"a guess, look at it: {guess.why}"
    return f"  # {' '.join(words.split())}" if guess.why else ""


def _lines(fields: Mapping[str, Guess], indent: str = "") -> Iterable[str]:
    for name, guess in fields.items():
        value = guess.value
        if isinstance(value, dict) and name == "env":
            yield f"{indent}{name}:{_comment(guess)}"
            for key, each in value.items():
                yield f"{indent}  {key}: {_flow(each)}"
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{name}:{_comment(guess)}"
            for each in value:
                yield f"{indent}  - {_flow(each)}"
        else:
            yield f"{indent}{name}: {_flow(value)}{_comment(guess)}"


def _service(service: ServiceProposal) -> str:
    head = f"# guessed from {service.source}"
    fields = {name: guess for name, guess in service.fields.items() if (name, guess.value) != ("kind", "web")}
    notes = [f"  # {' '.join(note.split())}" for note in service.notes]
    return "\n".join([head, f"{service.name}:", *_lines(fields, "  "), *notes]) + "\n"


def _environment(proposal: Proposal, known: Mapping[str, Any]) -> str:
    head = f"# {proposal.environment}, as `candlefish init` found it. Each guess says what it is from.\n"
    fields = dict(proposal.fields)
    prefix = _prefix(proposal, known) if known else None
    if prefix:
        fields["host_prefix"] = prefix
    text = head + "\n".join(_lines(fields)) + "\n"
    led = prefix.value if prefix else ""
    changed = [
        (each, _overrides(each, known[each.name], led)) for each in proposal.services if each.name in known
    ]
    if any(fields for _, fields in changed):
        text += "# What is different here from services.yaml.\noverrides:\n"
    for service, fields in changed:
        if fields:
            text += f"  {service.name}:  # guessed from {service.source}\n"
            text += "".join(f"    {name}: {_flow(value)}\n" for name, value in fields.items())
    return text


def _prefix(proposal: Proposal, known: Mapping[str, Any]) -> Guess | None:
    """The label by which an environment's hosts differ from those of services.yaml; None where they are the same."""
    hosts = {
        each.name: (known[each.name]["host"], each.fields["host"].value)
        for each in proposal.services
        if "host" in each.fields and (known.get(each.name) or {}).get("host")
    }
    others = [name for name, said in known.items() if (said or {}).get("host") and name not in hosts]
    for name, (there, here) in hosts.items():
        for label in here.split("."):
            if there != here and prefixed(there, label) == here:
                return Guess(label, f"{here}, which is {there} in services.yaml ({name})")
    if others:
        return Guess(
            proposal.environment, f"{others[0]} has the host of another environment else", sure=False
        )
    return None


def _overrides(service: ServiceProposal, known: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What an environment says otherwise about a service that the catalog has."""
    known = {**known, "host": prefixed(known.get("host", ""), prefix)} if known.get("host") else known
    found = {
        name: guess.value
        for name, guess in service.fields.items()
        if name in ("host", "replicas", "resources") and guess.value != known.get(name)
    }
    variables = service.fields["env"].value if "env" in service.fields else {}
    if changed := {key: each for key, each in variables.items() if (known.get("env") or {}).get(key) != each}:
        found["env"] = changed
    return found


def _policies(proposal: Proposal) -> dict[str, str]:
    """The policies that the proposed services are judged by."""
    preset = proposal.preset
    text = POLICY.format(name="default")
    if preset.value:
        name = "" if preset.value == "default" else f"preset: {preset.value}, "
        text += (
            f"  sources:\n    # Read once PrometheusUrl is set.\n"
            f"    prometheus: {{{name}window: 15s, settle: 15s}}{_comment(preset)}\n"
        )
    else:
        text += f"  # Prometheus is not read: {' '.join(preset.why.split())}.\n"
    found = {"default": text}
    named = {each.fields["judge"].value for each in proposal.services if "judge" in each.fields}
    if IN_CLUSTER in named:
        counted = (
            f"preset: {preset.value}"
            if preset.value not in ("", "default")
            else "requests: http_requests_total"
        )
        head = "# What no load balancer counts is judged by Prometheus alone.\n"
        found[IN_CLUSTER] = head + _counted(IN_CLUSTER, counted, preset)
    if WORKERS in named:
        head = "# Jobs, counted by the workers themselves: jobs_processed_total and jobs_failed_total, or say what else.\n"
        found[WORKERS] = head + _counted(WORKERS, "preset: worker", proposal.jobs)
    return found


def _counted(name: str, counted: str, guess: Guess) -> str:
    reading = f"    prometheus: {{{counted}, window: 15s, settle: 15s}}{_comment(guess)}\n"
    return f"{POLICY.format(name=name)}  sources:\n{reading}"


def _responses(proposal: Proposal) -> str:
    if not proposal.alerts:
        return f"{RESPONSES}\n{{}}\n"
    lines = [RESPONSES, "rules:"]
    for alert in proposal.alerts:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert).lower()
        lines += [
            f"  # Prometheus has this rule: {ACTING[alert]}.",
            f"  {name}:",
            f"    match: {{alertname: {alert}, subject: service}}",
            "    severity: P0",
        ]
    return "\n".join(lines) + "\n"


def report(proposal: Proposal) -> str:
    """adoption-ENVIRONMENT.md: what was found, what is in the way, and the steps."""
    lines = [
        f"# {proposal.environment}: the way over",
        "",
        "Written by `candlefish init`; run it again and it is written anew. Nothing was changed so far.",
        "",
        "## What was found",
        "",
        "| service | is | runs today | how it is reached |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.name} | {each.fields['kind'].value} | {each.source} | {_reached(each)} |"
        for each in proposal.services
    ]
    lines += ["", "## In the way, or missing", ""]
    lines += [
        f"- **{each.about}**{' (first)' if each.blocks else ''}: {each.what}. {each.do[:1].upper()}{each.do[1:]}."
        for each in proposal.obstacles
    ] or ["Nothing was found."]
    for number, step in enumerate(proposal.steps, start=1):
        lines += ["", f"## {number}. {step.title}", "", step.words]
        if step.commands:
            lines += ["", "```sh", step.commands, "```"]
    return "\n".join(lines) + "\n"


def _reached(service: ServiceProposal) -> str:
    if "host" not in service.fields:
        return service.fields["kind"].why
    by = (
        f"Ingress {service.ingress}"
        if service.ingress
        else f"a rule of {service.balancer or 'a load balancer'}"
    )
    return f"{service.fields['host'].value}, by {by}"
