"""Names that a shell completes: environments and services of the catalog, and what was seen of each stack.

Nothing is asked of AWS here. What a command has just shown is kept for the next time (`remember`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from cli.places import catalog_folder, environments_of, services_of, usual_environment

# Releases that are kept of an environment, newest first.
MOST = 50
SHELLS = ("bash", "zsh", "fish")


def remember(environment: str, *, services: Iterable[str] = (), releases: Iterable[str] = ()) -> None:
    """Keep names of a stack for completion. Where they cannot be kept, nothing is."""
    with suppress(OSError):
        seen = _seen(environment)
        kept = {
            "services": sorted({*services} or {*seen.get("services", ())}),
            "releases": list(dict.fromkeys((*releases, *seen.get("releases", ()))))[:MOST],
        }
        if kept != seen:
            file = _file(environment)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(kept), encoding="utf-8")


def _file(environment: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "candlefish" / f"{environment}.json"


def _seen(environment: str) -> dict[str, Any]:
    try:
        found = json.loads(_file(environment).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _environment(context: click.Context) -> str:
    """The environment that the line names so far; the stack itself is not made for a completion."""
    said = context.params.get("stack")
    named = getattr(said, "environment", said) or os.environ.get("CANDLEFISH_ENVIRONMENT")
    return str(named or usual_environment(catalog_folder()))


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def complete_environment(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Environments of the catalog; without one, those that were seen."""
    names = environments_of(catalog_folder()) or sorted(
        file.stem for file in _file("any").parent.glob("*.json")
    )
    return _beginning(names, incomplete)


def complete_service(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Services of the catalog; without one, those that were seen in the environment."""
    return _beginning(
        services_of(catalog_folder()) or _seen(_environment(context)).get("services", ()), incomplete
    )


def complete_release(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Releases that were seen in the environment, newest first."""
    return _beginning(_seen(_environment(context)).get("releases", ()), incomplete)


def complete_either(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Services, then releases."""
    return complete_service(context, parameter, incomplete) + complete_release(context, parameter, incomplete)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print what makes SHELL complete names when you press the tab key.

    \b
    bash: eval "$(candlefish completion bash)" in ~/.bashrc
    zsh:  eval "$(candlefish completion zsh)" in ~/.zshrc
    fish: candlefish completion fish > ~/.config/fish/completions/candlefish.fish
    """
    from click.shell_completion import get_completion_class

    from cli.__main__ import candlefish
    from cli.terminal import echo, failure

    kind = get_completion_class(shell)
    if kind is None:
        raise failure(f"click knows no completion for {shell}; use one of {', '.join(SHELLS)}")
    echo(kind(candlefish, {}, "candlefish", "_CANDLEFISH_COMPLETE").source())
