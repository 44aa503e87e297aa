"""What the bare command leaves out, and how to get it."""

from __future__ import annotations

PACKAGE = "candlefish-control-plane"
# Module that is missing -> the extra that brings it (pyproject.toml).
EXTRAS = {
    "boto3": "lab",
    "greenlet": "lab",
    "jsonata": "lab",
    "moto": "lab",
    "samtranslator": "lab",
    "matplotlib": "plots",
    "numpy": "plots",
    "holidays": "calendars",
    "icalendar": "calendars",
    "recurring_ical_events": "calendars",
}
# Packages of a checkout, which no wheel carries.
CHECKOUT = frozenset({"lab", "tests", "tools"})


def how_to_get(module: str) -> str | None:
    """What to do about a module that cannot be imported; None for one that should be there."""
    top = module.partition(".")[0]
    if top in CHECKOUT:
        return (
            "the lab runs a checkout of the control plane, and this command is installed without one; clone its "
            "repository, and run there: make demo"
        )
    if top not in EXTRAS:
        return None
    wanted = f"'{PACKAGE}[{EXTRAS[top]}] @ {_origin()}'"
    return (
        f"this needs {top}, which the bare command leaves out; install it with: "
        f"pipx install --force {wanted} (or pip install {wanted})"
    )


def _origin() -> str:
    """Where this command was installed from (PEP 610). No registry has it: its bare name would be somebody else's."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        said = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        said = None
    if said is None:
        return "WHERE-YOURS-CAME-FROM"
    origin = json.loads(said)
    vcs = origin.get("vcs_info")
    return f"{vcs['vcs']}+{origin['url']}@{vcs['commit_id']}" if vcs else str(origin["url"])
