"""samconfig.toml, for `candlefish catalog samconfig` and for `candlefish init`: lines of its own, and sections that are missing.

What the catalog says is written over what stood there. Of the rest a new section has what is known, and placeholders: whoever
knows more later fills them in. `make preflight` refuses what is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.stack_parameters import NAMES, PLACEHOLDER, derived
from candlefish.errors import InvalidInput

# Parameters by name: the value, or the placeholder, and where that is from or how it is found.
Known = Mapping[str, tuple[str, str]]
_NOTHING: Known = MappingProxyType({})
_SECTION = re.compile(r"^\[.*$", re.MULTILINE)
OPENED = "parameter_overrides = [\n"
RECOVERY = "-recovery"
HEAD = """# `make deploy ENV=<section>`. `candlefish catalog samconfig --write` writes what the catalog says; the rest is yours.
version = 0.1

[default.build.parameters]
# Not cached: a layer's cache does not know that the catalog changed.
parallel = true

[default.validate.parameters]
lint = true
"""
# What a person fills in, and where it is found.
FILLED_IN = {
    "ListenerArns": "Listeners of the load balancers, comma-separated: aws elbv2 describe-listeners.",
    "VpcId": "The load balancers' VPC: aws elbv2 describe-load-balancers.",
    "PermissionsBoundaryArn": "deploy/bootstrap.yaml makes one (docs/deploy.md); remove the line for none.",
    "NoticesEmail": "Who hears what the control plane cannot do itself.",
}
SUBJECTS = (
    "Whole subjects of GitHub's tokens. Repositories that were made or renamed since 2026-07-15 have ids in theirs",
    "(docs/deploy.md): add those too.",
)


def written(text: str, catalog: Catalog, environment: str, known: Known = _NOTHING) -> str:
    """samconfig.toml with all that the catalog says of an environment's stacks, and of its own stack with what else is `known`.

    What people wrote in place of a placeholder stays, whatever is known.

    Raises
    ------
    InvalidInput
        The parameters of a section are not written one a line.
    """
    found = catalog.environment(environment)
    values = derived(found, catalog)
    text = text or HEAD
    text = _with(text, environment, found, {**values, "ClusterName": found.cluster}, catalog, known)
    recovers = f"[{environment}{RECOVERY}.deploy.parameters]\n"
    if found.recovery_region and (found.recovery.standby or recovers in text):
        there = {**values, "HomeRegion": found.region}
        text = _with(text, environment + RECOVERY, found, there, catalog, _NOTHING)
    return text


def _with(
    text: str,
    section: str,
    environment: Environment,
    values: Mapping[str, str],
    catalog: Catalog,
    known: Known,
) -> str:
    start = text.find(f"[{section}.deploy.parameters]\n")
    if start < 0:
        return f"{text.rstrip()}\n\n{_new(section, environment, values, catalog, known)}"
    after = _SECTION.search(text, start + 1)
    end = after.start() if after else len(text)
    body = text[start:end]
    if OPENED not in body:
        raise InvalidInput(
            f"samconfig.toml: write the parameter_overrides of [{section}.deploy.parameters] one a line"
        )
    new = ""
    for name in dict.fromkeys([*values, *NAMES]):
        line = _line(name, values[name]) if name in values else ""
        # Where it stands, so that a comment stays beside what it is about.
        body, count = _stands(name, '[^"]*').subn(line.replace("\\", r"\\"), body)
        new += "" if count else line
    for name, (value, why) in known.items():
        if value != PLACEHOLDER and name not in values:
            # The comment that said how it is found goes with the placeholder.
            blank = re.compile(rf"(?:^ *#[^\n]*\n)?{_stands(name, PLACEHOLDER).pattern}", re.MULTILINE)
            body = blank.sub(_told(name, value, why).replace("\\", r"\\"), body)
    return text[:start] + body.replace(OPENED, OPENED + new, 1) + text[end:]


def _new(
    section: str, environment: Environment, values: Mapping[str, str], catalog: Catalog, known: Known
) -> str:
    recovery = section != environment.name
    region = environment.recovery_region if recovery else environment.region
    stack = f"candlefish-{environment.name}"
    blanks = dict(FILLED_IN)
    if recovery:
        blanks["ClusterName"] = f"The cluster in {region}."
    told = {name: (PLACEHOLDER, what) for name, what in blanks.items()} | {
        name: each for name, each in known.items() if name not in values
    }
    repositories = sorted({each.repository for each in catalog.services.values() if each.repository})
    if repositories and not recovery:
        subjects = ",".join(f"repo:{each}:environment:{environment.name}" for each in repositories)
        told.setdefault("GitHubSubjects", (subjects, ""))
    lines = [
        f"[{section}.deploy.parameters]",
        f'stack_name = "{stack}"',
        f'region = "{region}"',
        "resolve_s3 = true",
        f's3_prefix = "{stack}"',
        'capabilities = "CAPABILITY_NAMED_IAM"',
        f"confirm_changeset = {json.dumps(environment.production)}",
        "fail_on_empty_changeset = false",
        f'tags = "candlefish:environment=\\"{environment.name}\\""',
        OPENED + "".join(_line(name, value) for name, value in values.items()).rstrip("\n"),
    ]
    lines += [_told(name, value, why).rstrip("\n") for name, (value, why) in told.items()]
    return "\n".join([*lines, "]", ""])


def _stands(name: str, value: str) -> re.Pattern[str]:
    return re.compile(rf'^ *"{name}={value}",?\n', re.MULTILINE)


def _told(name: str, value: str, why: str) -> str:
    """A parameter below what is to be said about it."""
    said = [*filter(None, [" ".join(why.split())]), *(SUBJECTS if name == "GitHubSubjects" else ())]
    return "".join(f"    # {each}\n" for each in said) + _line(name, value)


def _line(name: str, value: str) -> str:
    return f'    "{name}={value}",\n'
