"""Writes docs/alerts.md: what every published alert leads to, and why, from what ships with the product.

python -m tools.alerts_page [--check]
"""

from __future__ import annotations

import sys
from collections import Counter

from candlefish.catalog.defaults import known_alerts, shipped
from candlefish.catalog.model import PublishedAlert
from tools.layers import ROOT
from tools.pages import write_or_check

PAGE = ROOT / "docs/alerts.md"
INTRO = """# What published alerts lead to

Made by `python -m tools.alerts_page` from `candlefish/catalog/known_alerts.yaml`; `make check` compares.

The alerts of kube-prometheus-stack (with the Kubernetes and node mixins) and of awesome-prometheus-alerts for hosts,
containers, blackbox, postgres, redis, nginx, Istio, Kubernetes and Argo CD, each decided. Where a rule names an alert the
rule counts, and not this list: those that ship are at the end. Say otherwise for your company in catalog/responses.yaml:

    alerts:
      KubePodCrashLooping: {do: notify, why: our batch jobs crash on purpose}

A **hold** concerns alerts about a service of the catalog with a release under way, and is an experiment where one can
tell whose fault it is ([signals](signals.md)); about anything else such an alert tells. **notify** tells; **nothing** is
written to the log of signals only. How loud: a level where one stands, else what the label `severity` says.

`tests/e2e/test_published_alerts.py` fires every line through a real Prometheus and a real Alertmanager and compares what it
led to with this page; [what published alerts led to](alerts-arrived.md) is the table of such a run, with the messages.
"""


def page() -> str:
    """The page as it should be."""
    known = known_alerts()
    acts = Counter(each.do for each in known.values())
    counted = ", ".join(f"{number} {act}" for act, number in sorted(acts.items()))
    rules = [
        f"| `{rule.name}` | {_code(rule.match)} | {rule.severity} | {rule.do or 'by severity and subject'} |"
        for rule in shipped().rules.values()
    ]
    return "\n".join(
        [
            INTRO,
            f"{len(known)} names: {counted}.",
            "",
            "| alert | leads to | how loud | why |",
            "|---|---|---|---|",
            *(_row(each) for each in known.values()),
            "",
            "## Rules that ship",
            "",
            "Tried in this order, after a company's own. By severity and subject: P0 rolls a service back and fails a "
            "database or cache over, P1 holds a service's release, anything else tells.",
            "",
            "| rule | matches | severity | leads to |",
            "|---|---|---|---|",
            *rules,
            "",
        ]
    )


def _row(alert: PublishedAlert) -> str:
    return f"| {alert.name} | {alert.do} | {alert.severity or 'by its label'} | {alert.why} |"


def _code(match: dict[str, str]) -> str:
    return ", ".join(f"{label} `{pattern}`" for label, pattern in match.items()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), source="lists say", module="tools.alerts_page"))
