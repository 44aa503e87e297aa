"""`python -m tools.preflight production`: everything that is found, with what mends it; 1 when something blocks."""

from __future__ import annotations

import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog
from candlefish.errors import ControlPlaneError
from lab import CATALOG
from lab.templates import read_template
from tools.layers import ROOT
from tools.preflight import checks
from tools.preflight.look import look
from tools.preflight.model import Finding, Section, fails_over
from tools.preflight.needs import reserving, services_asked
from tools.samconfig import environment_of, section


def findings(of: Section, template: dict[str, Any], catalog: Catalog) -> list[Finding]:
    """Everything; the account is asked only when the section itself is sound."""
    declared, strategy = template["Parameters"], of.environment.strategy
    found = [
        *checks.written(of, declared),
        *checks.derived(of, catalog),
        *checks.room(of, sum(service.balanced for service in catalog.services.values())),
        *checks.patience(of, declared, strategy, catalog.strategies[strategy].ready_within),
    ]
    if found:
        return found
    functions = reserving(template, of.environment)
    try:
        seen = look(of, functions)
    except (BotoCoreError, ClientError) as error:
        return [Finding("account", f"it could not be asked: {error}")]
    found = [each for check in checks.ABOUT_THE_ACCOUNT for each in check(of, seen)]
    found += checks.concurrency(of, seen, len(functions))
    found += checks.counted(of, catalog)
    return found + list(checks.network(of, seen, services_asked(failovers=fails_over(of))))


def main(name: str) -> int:
    """0 when nothing blocks."""
    catalog = load(CATALOG)
    environment = catalog.environments.get(environment_of(name, catalog.environments))
    deploy = section(name)
    if environment is None or not deploy:
        known = ", ".join(sorted(catalog.environments))
        print(
            f"say which environment: make deploy ENV=... The catalog has {known}, and samconfig.toml has no section for "
            f"{name!r}; candlefish catalog samconfig --write makes it"
            if environment
            else f"say which environment: make deploy ENV=... The catalog has {known}, not {name!r}"
        )
        return 2
    found = findings(Section(name, deploy, environment), read_template(ROOT / "template.yaml"), catalog)
    for each in found:
        print("\n".join(each.lines(name)))
    if not found:
        print(f"{name}: samconfig.toml, the catalog and the account agree")
    return 1 if any(each.blocks for each in found) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
    except ControlPlaneError as wrong_catalog:
        sys.exit(str(wrong_catalog))
