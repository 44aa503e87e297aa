"""What `candlefish catalog samconfig` writes into samconfig.toml: lines of its own, and sections that are missing.

What the catalog cannot know is a placeholder in a new section. People replace it; `make preflight` refuses what is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.stack_parameters import NAMES, PLACEHOLDER, derived
from candlefish.errors import InvalidInput

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


def written(text: str, catalog: Catalog, environment: str) -> str:
    """samconfig.toml with all that the catalog says of an environment's stacks.

    Raises
    ------
    InvalidInput
        The parameters of a section are not written one a line.
    """
    found = catalog.environment(environment)
    values = derived(found, catalog)
    text = text or HEAD
    text = _with(text, environment, found, {**values, "ClusterName": found.cluster}, catalog)
    recovers = f"[{environment}{RECOVERY}.deploy.parameters]\n"
    if found.recovery_region and (found.recovery.standby or recovers in text):
        text = _with(text, environment + RECOVERY, found, {**values, "HomeRegion": found.region}, catalog)
    return text


def _with(
    text: str, section: str, environment: Environment, values: Mapping[str, str], catalog: Catalog
) -> str:
    start = text.find(f"[{section}.deploy.parameters]\n")
    if start < 0:
        return f"{text.rstrip()}\n\n{_new(section, environment, values, catalog)}"
    after = _SECTION.search(text, start + 1)
    end = after.start() if after else len(text)
    ours = re.compile(rf'^ *"(?:{"|".join({*NAMES, *values})})=[^"]*",?\n', re.MULTILINE)
    body = ours.sub("", text[start:end])
    if OPENED not in body:
        raise InvalidInput(
            f"samconfig.toml: write the parameter_overrides of [{section}.deploy.parameters] one a line"
        )
    return text[:start] + body.replace(OPENED, OPENED + _lines(values), 1) + text[end:]


def _new(section: str, environment: Environment, values: Mapping[str, str], catalog: Catalog) -> str:
    recovery = section != environment.name
    region = environment.recovery_region if recovery else environment.region
    stack = f"candlefish-{environment.name}"
    blanks = dict(FILLED_IN)
    if recovery:
        blanks["ClusterName"] = f"The cluster in {region}."
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
        OPENED + _lines(values).rstrip("\n"),
    ]
    for name, what in blanks.items():
        lines += [f"    # {what}", f'    "{name}={PLACEHOLDER}",']
    repositories = sorted({each.repository for each in catalog.services.values() if each.repository})
    if repositories and not recovery:
        subjects = ",".join(f"repo:{each}:environment:{environment.name}" for each in repositories)
        lines += [
            "    # Whole subjects of GitHub's tokens. Repositories that were made or renamed since 2026-07-15 have ids in theirs",
            "    # (docs/deploy.md): add those too.",
            f'    "GitHubSubjects={subjects}",',
        ]
    return "\n".join([*lines, "]", ""])


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f'    "{name}={value}",\n' for name, value in values.items())
